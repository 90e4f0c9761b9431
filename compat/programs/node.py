"""Programs in JavaScript: `NAME.mjs` beside this file, with their packages at pinned versions.

A script gets the server's URL as its argument and prints what `child` prints: one line of JSON per scenario.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from compat.results import cache
from compat.suites.base import Unavailable, run_quietly

_HERE = Path(__file__).parent

PACKAGES: dict[str, tuple[str, ...]] = {
    "bee_queue": ("bee-queue@2.0.0",),
    "bullmq": ("bullmq@6.7.0", "ioredis@6.0.0"),
    "bullmq_5": ("bullmq@5.81.5",),
    "ioredis": ("ioredis@6.0.0",),
    "ioredis_streams": ("ioredis@6.0.0",),
    "node_redis": ("redis@6.3.1",),
    "redlock": ("redlock@5.0.0-beta.2", "ioredis@6.0.0"),
    "redlock_4": ("redlock@4.2.0", "ioredis@6.0.0"),
}
# Programs that run the script of another one, with other versions of its packages.
_SCRIPTS = {"bullmq_5": "bullmq"}
MISSING: dict[str, tuple[str, ...]] = {}
_SHARED = "scenarios.mjs"


def names() -> list[str]:
    return sorted(PACKAGES)


def command(name: str) -> list[str]:
    """The command that runs the script, with its packages installed. Raises Unavailable."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        raise Unavailable("node and npm are needed")
    folder = cache() / "environments" / f"program-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    versions = dict(package.rsplit("@", 1) for package in PACKAGES[name])
    manifest = json.dumps({"private": True, "type": "module", "dependencies": versions})
    if not (folder / "node_modules").exists() or (folder / "package.json").read_text() != manifest:
        (folder / "package.json").write_text(manifest)
        run_quietly([npm, "install", "--no-audit", "--no-fund", "--silent"], cwd=folder)
    # Node looks for packages beside the script.
    main = f"{_SCRIPTS.get(name, name)}.mjs"
    for script in (main, _SHARED):
        shutil.copyfile(_HERE / script, folder / script)
    return [program, str(folder / main)]
