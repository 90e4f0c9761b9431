"""Stories in JavaScript, told to a server by the plain commands of its usual clients.

The packages are those that `python -m compat programs` has installed; nothing is downloaded for a test.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from compat.results import cache

# How each client is connected, how it sends a command, and how it is closed.
CLIENTS = {
    "ioredis": """
import Redis from "ioredis";
const client = new Redis(process.argv[2]);
const call = (...words) => client.call(...words);
const close = () => client.quit();
""",
    "node_redis": """
import { createClient } from "redis";
const client = await createClient({ url: process.argv[2] }).connect();
const call = (...words) => client.sendCommand(words);
const close = () => client.close();
""",
}


def packages_of(client: str, directory: Path) -> str:
    """Let programs in a directory import a client; the path of node. Skips the test where there is none."""
    packages = cache() / "environments" / f"program-{client}" / "node_modules"
    node = shutil.which("node")
    if node is None or not packages.exists():
        pytest.skip(f"needs node, and the packages of `python -m compat programs` for {client}")
    (directory / "node_modules").symlink_to(packages)
    return node


def tell(client: str, story: str, url: str, directory: Path) -> None:
    """Run a story, whose commands are ``await call("GET", "key")``, and whose checks are those of `assert`."""
    node = packages_of(client, directory)
    script = f'import assert from "node:assert/strict";\n{CLIENTS[client]}\n{story}\nawait close();\n'
    (directory / "story.mjs").write_text(script)
    done = subprocess.run([node, "story.mjs", url], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
