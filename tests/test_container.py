"""The container image, as far as that goes without an engine: its entry script under sh."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import RespcacheServer

DOCKERFILE = Path(__file__).parents[1] / "Dockerfile"
EVERYBODY = ["--bind", "*", "-::*", "--protected-mode", "no"]


@pytest.fixture
def entrypoint(tmp_path: Path) -> Path:
    """The script, where `respcache` is a program that prints its arguments, one a line."""
    if not DOCKERFILE.exists():
        pytest.skip("no Dockerfile beside the tests: this is not a source tree")
    script = tmp_path / "entrypoint"
    script.write_text(DOCKERFILE.read_text("utf-8").partition('<<"EOF"')[2].partition("\n")[2].partition("\nEOF\n")[0])
    program = tmp_path / "respcache"
    program.write_text('#!/bin/sh\nprintf "%s\\n" respcache "$@"\n')
    for path in (script, program):
        path.chmod(0o755)
    return script


def run(script: Path, *arguments: str) -> list[str]:
    """What is run in the end, in words."""
    environment = {**os.environ, "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([str(script), *arguments], env=environment, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], []),
        (["respcache"], []),
        (["redis-server"], []),
        (["--appendonly", "no"], ["--appendonly", "no"]),
        (["respcache", "--port", "7000"], ["--port", "7000"]),
        (["redis-server", "--save", ""], ["--save", ""]),
        (["redis.conf"], ["--include", "redis.conf"]),
        (["/etc/a b.conf", "--port", "7000"], ["--include", "/etc/a b.conf", "--port", "7000"]),
        (["respcache", "/etc/settings", "--port", "7000"], ["--include", "/etc/settings", "--port", "7000"]),
        (["-", "--port", "7000"], ["--include", "/dev/stdin", "--port", "7000"]),
    ],
)
def test_words_for_the_server(entrypoint: Path, arguments: list[str], words: list[str]) -> None:
    assert run(entrypoint, *arguments) == ["respcache", *EVERYBODY, *words]


@pytest.mark.parametrize("option", ["--version", "-h"])
def test_questions_stand_alone(entrypoint: Path, option: str) -> None:
    assert run(entrypoint, option) == ["respcache", option]
    assert run(entrypoint, "respcache", option) == ["respcache", option]


def test_any_other_program(entrypoint: Path) -> None:
    assert run(entrypoint, "sh", "-c", "echo $0 $1", "a", "b c") == ["a b c"]


def test_a_file_has_the_last_word_over_the_image(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    path.write_text("bind 127.0.0.1\n")
    server = RespcacheServer(*EVERYBODY, "--include", str(path))
    assert "0.0.0.0" not in server.output()
    server.stop()
