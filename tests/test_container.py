"""The container image, as far as that goes without an engine: its entry script under sh, and its health check."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from respcache.health import main, words_of_the_server
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


def test_healthy() -> None:
    server = RespcacheServer()
    assert main(["--port", str(server.port)]) == 0
    server.stop()
    assert main(["--port", str(server.port)]) == 1


def test_healthy_with_a_password_and_a_file(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    path.write_text("requirepass secret\nprotected-mode no\n")
    server = RespcacheServer(file=str(path))
    path.write_text(f"requirepass secret\nport {server.port}\n")
    assert main([str(path), "--bind", "*"]) == 0
    server.stop()


def test_healthy_on_a_unix_socket_only(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    words = ["--port", "0", "--unixsocket", path]
    command = [sys.executable, "-m", "respcache", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("Ready" in line for line in process.stdout)
        assert main(words) == 0
        process.terminate()
        assert process.wait(10) == 0
    assert main(words) == 1


def test_unhealthy_where_something_else_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(10)
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "respcache.health", "--port", str(port)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as check:
            connection, _ = other.accept()
            connection.sendall(b"-ERR max number of clients reached\r\n")
            assert check.communicate(timeout=10)[1] == "-ERR max number of clients reached\n"
            connection.close()
        assert check.returncode == 1
    assert main(["--nosuch", "directive"]) == 1
    assert "Bad directive" in capsys.readouterr().err


def test_the_words_of_the_server_are_looked_up(tmp_path: Path) -> None:
    commands = {
        1: ["/sbin/docker-init", "--", "entrypoint", "--port", "7000"],
        7: ["/opt/respcache/bin/python", "/opt/respcache/bin/respcache", "--bind", "*", "--port", "7000"],
        12: ["/opt/respcache/bin/python", "-m", "respcache", "--port", "7001"],
    }
    for number, words in commands.items():
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / "cmdline").write_text("".join(f"{word}\0" for word in words))
    (tmp_path / "9").mkdir()
    (tmp_path / "self").mkdir()
    assert words_of_the_server(tmp_path) == ["--bind", "*", "--port", "7000"]
    (tmp_path / "7" / "cmdline").unlink()
    assert words_of_the_server(tmp_path) == ["--port", "7001"]
