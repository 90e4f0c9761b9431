"""The container image, as far as it can be tested without an engine: its scripts under sh, and its metadata."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import RespcacheServer

ROOT = Path(__file__).parents[1]
EVERYBODY = ["--bind", "*", "-::*", "--protected-mode", "no"]


@pytest.fixture
def dockerfile() -> str:
    """The text of the Dockerfile."""
    path = ROOT / "Dockerfile"
    if not path.exists():
        pytest.skip("no Dockerfile beside the tests: this is not a source tree")
    return path.read_text("utf-8")


def install(dockerfile: str, target: str, directory: Path) -> Path:
    """Write the script that the Dockerfile copies to `target` into a directory."""
    (text,) = re.findall(rf'^COPY --chmod=755 <<"EOF" {re.escape(target)}\n(.*?)^EOF$', dockerfile, re.M | re.S)
    return executable(directory / Path(target).name, text)


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def entrypoint(dockerfile: str, tmp_path: Path) -> Path:
    """The entry script, beside a program `respcache` that prints its arguments, one per line."""
    executable(tmp_path / "respcache", '#!/bin/sh\nprintf "%s\\n" respcache "$@"\n')
    return install(dockerfile, "/usr/local/bin/entrypoint", tmp_path)


def run(script: Path, *arguments: str) -> list[str]:
    """The words of the command that is finally run."""
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
def test_options_that_only_print(entrypoint: Path, option: str) -> None:
    assert run(entrypoint, option) == ["respcache", option]
    assert run(entrypoint, "respcache", option) == ["respcache", option]


def test_any_other_program(entrypoint: Path) -> None:
    assert run(entrypoint, "sh", "-c", "echo $0 $1", "a", "b c") == ["a b c"]


def test_a_file_overrides_the_image(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    path.write_text("bind 127.0.0.1\n")
    server = RespcacheServer(*EVERYBODY, "--include", str(path))
    assert "0.0.0.0" not in server.output()
    server.stop()


# -- redis-cli

NO_PASSWORD = "AUTH failed: ERR AUTH <password> called without any password configured for the default user."
WARNING = "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.\n"


class Cli:
    """The image's `redis-cli` on one server, and the genuine one beside it if it is installed."""

    def __init__(self, script: Path, port: int) -> None:
        self.port = port
        self._programs = [str(script)]
        if genuine := shutil.which("redis-cli"):
            self._programs.append(genuine)
        self._environment = {name: value for name, value in os.environ.items() if name != "REDISCLI_AUTH"}

    def __call__(self, *words: str, stdin: str = "", **environment: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error. All programs are run, and must agree."""
        said = [self._run(program, words, stdin, environment) for program in self._programs]
        assert said[1:] == said[:-1]
        return said[0]

    def alone(self, *words: str, stdin: str = "") -> tuple[int, str, str]:
        """The same with the image's `redis-cli` only."""
        return self._run(self._programs[0], words, stdin, {})

    def _run(
        self, program: str, words: tuple[str, ...], stdin: str, environment: dict[str, str]
    ) -> tuple[int, str, str]:
        command = [program, "-p", str(self.port), *words]
        variables = {**self._environment, **environment}
        done = subprocess.run(command, env=variables, input=stdin, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def server() -> Iterator[RespcacheServer]:
    server = RespcacheServer()
    yield server
    server.stop()


@pytest.fixture
def cli(dockerfile: str, server: RespcacheServer, tmp_path: Path) -> Cli:
    server.reset()
    script = install(dockerfile, "/usr/local/bin/redis-cli", tmp_path)
    # The image has `python` on its PATH; here it is the interpreter of the tests.
    executable(script, script.read_text().replace("python", sys.executable, 1))
    return Cli(script, server.port)


def test_ping_as_health_checks_do(cli: Cli) -> None:
    assert cli("ping") == (0, "PONG\n", "")
    assert cli("-h", "localhost", "-n", "1", "--raw", "ping") == (0, "PONG\n", "")
    assert cli("-h", "127.0.0.1", "-e", "ping") == (0, "PONG\n", "")
    assert cli("-u", f"redis://127.0.0.1:{cli.port}/1", "ping") == (0, "PONG\n", "")


def test_any_command_and_its_reply(cli: Cli) -> None:
    assert cli("set", "k", "a b") == (0, "OK\n", "")
    assert cli("get", "k") == (0, "a b\n", "")
    assert cli("get", "none") == (0, "\n", "")
    assert cli("strlen", "k") == (0, "3\n", "")
    assert cli.alone("rpush", "l", "a", "b") == (0, "2\n", "")
    assert cli("lrange", "l", "0", "-1") == (0, "a\nb\n", "")
    assert cli("lrange", "none", "0", "-1") == (0, "\n", "")
    assert cli("command", "info", "get")[1].startswith("get\n2\nreadonly\n")
    assert cli("frob") == (0, "ERR unknown command 'frob', with args beginning with: \n\n", "")
    assert cli("-e", "frob") == (1, "", "ERR unknown command 'frob', with args beginning with: \n")


def test_databases(cli: Cli) -> None:
    assert cli("-n", "3", "set", "k", "v")[1] == "OK\n"
    assert cli("-u", f"redis://127.0.0.1:{cli.port}/3", "get", "k")[1] == "v\n"
    assert cli("get", "k")[1] == "\n"
    assert cli("-n", "99", "ping") == (0, "PONG\n", "SELECT 99 failed: ERR DB index is out of range\n")


def test_standard_input(cli: Cli) -> None:
    assert cli("-x", "set", "k", stdin="value\n")[1] == "OK\n"
    assert cli("get", "k")[1] == "value\n\n"
    seed = 'SET "a b" c\n\nGET "a b"\nGET "unbalanced\nFROB\nPING\n'
    assert cli(stdin=seed)[1].splitlines() == [
        *("OK", "c", "Invalid argument(s)"),
        *("ERR unknown command 'FROB', with args beginning with: ", "", "PONG"),
    ]


def test_passwords(cli: Cli) -> None:
    assert NO_PASSWORD in cli("--pass", "secret", "--no-auth-warning", "ping")[2]
    cli.alone("config", "set", "requirepass", "secret")
    try:
        assert cli("ping") == (0, "NOAUTH Authentication required.\n\n", "")
        assert cli("-a", "secret", "ping") == (0, "PONG\n", WARNING)
        assert cli("--user", "default", "--pass", "secret", "--no-auth-warning", "ping") == (0, "PONG\n", "")
        assert cli("ping", REDISCLI_AUTH="secret") == (0, "PONG\n", "")
        assert cli("-u", f"redis://default:secret@127.0.0.1:{cli.port}", "ping") == (0, "PONG\n", WARNING)
        code, output, complaints = cli("-a", "wrong", "-n", "1", "ping")
        assert (code, output) == (0, "NOAUTH Authentication required.\n\n")
        assert complaints.startswith(WARNING + "AUTH failed: WRONGPASS")
    finally:
        cli.alone("-a", "secret", "config", "set", "requirepass", "")


def test_no_server_and_wrong_options(cli: Cli, tmp_path: Path) -> None:
    assert cli("-p", "1", "ping") == (1, "", "Could not connect to Redis at 127.0.0.1:1: Connection refused\n")
    path = str(tmp_path / "socket")
    assert cli("-s", path, "ping") == (1, "", f"Could not connect to Redis at {path}: No such file or directory\n")
    assert cli("--frob", "ping") == (1, "", "Unrecognized option or bad number of args for: '--frob'\n")
    assert cli("-n") == (1, "", "Unrecognized option or bad number of args for: '-n'\n")
    assert cli.alone("-u", "rediss://localhost", "ping")[0] == 1
    assert cli.alone("-n", "one", "ping") == (1, "", "Not a number: 'one'\n")


def test_subscribing_goes_on_until_interrupted(cli: Cli, server: RespcacheServer) -> None:
    command = [cli._programs[0], "-p", str(cli.port), "subscribe", "news"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == ["subscribe\n", "news\n", "1\n"]
        assert cli.alone("publish", "news", "hello")[1] == "1\n"
        assert [process.stdout.readline() for _ in range(3)] == ["message\n", "news\n", "hello\n"]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


# -- what the Dockerfile says


def test_the_frontend_for_heredocs_is_named_first(dockerfile: str) -> None:
    assert dockerfile.startswith("# syntax=docker/dockerfile:1\n"), "a comment above it would disable it"


def test_labels_are_those_of_the_package(dockerfile: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="(.*?)"', dockerfile))
    assert labels["title"] == project["name"]
    assert labels["version"] == project["version"]
    assert labels["licenses"] == project["license"]
    assert labels["description"]


def test_the_build_context_has_the_sources_of_the_wheel(dockerfile: str) -> None:
    assert "COPY . /src" in dockerfile
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert kept == {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"], *packages}
