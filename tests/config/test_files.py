"""Where a configuration comes from: files, standard input, the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from respcache.config.files import ConfigError, load


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_the_command_line() -> None:
    config = load(["--port", "7000", "--bind", "127.0.0.1", "-::1", "--save", "--maxmemory", "10mb", "--SHARDS", "3"])
    assert (config.port, config.bind, config.shards) == (7000, ["127.0.0.1", "-::1"], 3)
    assert config.show("save") == ""
    assert config.show("maxmemory") == "10485760"


def test_a_word_may_hold_a_whole_directive() -> None:
    assert load(["--port 7001"]).port == 7001


def test_words_of_the_command_line_need_no_quotes() -> None:
    assert load(["--requirepass", 'a "b" \\ c']).requirepass == 'a "b" \\ c'


def test_a_file_is_read_before_the_command_line(tmp_path: Path) -> None:
    path = write(tmp_path / "redis.conf", '# comment\n\nport 7000\n  Requirepass "p q"  \nloglevel WARNING\n')
    config = load([path, "--port", "7002"])
    assert (config.port, config.requirepass, config.loglevel, config.path) == (7002, "p q", "warning", path)


def test_include(tmp_path: Path) -> None:
    write(tmp_path / "a.conf", "port 7001\n")
    write(tmp_path / "b.conf", "databases 3\n")
    path = write(tmp_path / "redis.conf", f'include "{tmp_path}/[ab].conf"\ninclude {tmp_path}/none*.conf\nport 7002\n')
    config = load([path])
    assert (config.port, config.databases) == (7002, 3)


def test_endless_includes(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    write(path, f"include {path}\n")
    with pytest.raises(ConfigError, match="Too many nested includes"):
        load([str(path)])


def test_output_limits_of_other_classes_stay(tmp_path: Path) -> None:
    lines = "client-output-buffer-limit normal 100 50 5\nclient-output-buffer-limit pubsub 32mb 8mb 61\n"
    config = load([write(tmp_path / "redis.conf", lines)])
    shown = "normal 100 50 5 slave 268435456 67108864 60 pubsub 33554432 8388608 61"
    assert config.show("client-output-buffer-limit") == shown
    config.set([(b"client-output-buffer-limit", b"normal 1 2 3")])
    assert config.show("client-output-buffer-limit") == shown.replace("100 50 5", "1 2 3")


def test_several_values_may_be_one_word() -> None:
    config = load(["--bind", "127.0.0.1 -::1", "--save", "900 1", "--save", "60 5"])
    assert config.bind == ["127.0.0.1", "-::1"]
    assert config.show("save") == "900 1 60 5"


def test_save_adds_up_over_its_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "redis.conf", "save 60 1\nsave 900 10 3600 1\n")
    assert load([path]).show("save") == "60 1 900 10 3600 1"
    assert load([path, "--save", ""]).show("save") == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nosuch 1", "Bad directive or wrong number of arguments"),
        ("port", "wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        ("port abc", "argument couldn't be parsed into an integer"),
        ("port 70000", "argument must be between 0 and 65535 inclusive"),
        ('requirepass "abc', "Unbalanced quotes in configuration line"),
        ("include", "wrong number of arguments"),
        ("user alice on >secret", "ACL users are not supported"),
        ("user default on nopass ~* &* +@all -flushall", "ACL users are not supported"),
        ("user default on nopass ~* &*", "ACL users are not supported"),
        ("user default off nopass ~* &* +@all", "ACL users are not supported"),
        ("user", "ACL users are not supported"),
        ("rename-command FLUSHALL no", "renaming commands is not supported"),
        ("loadmodule /x.so", "modules are not supported"),
        ("dir /nonexistent", "No such file or directory"),
    ],
)
def test_an_invalid_line_is_shown_with_its_number_and_the_reason(line: str, reason: str, tmp_path: Path) -> None:
    path = write(tmp_path / "redis.conf", f"port 7000\n\n{line}\n")
    with pytest.raises(ConfigError) as failed:
        load([path])
    shown = str(failed.value).splitlines()
    assert shown[0].startswith("*** FATAL CONFIG FILE ERROR (respcache ")
    assert shown[1:] == [f"Reading the configuration file {path}, at line 3", f">>> '{line}'", reason]


def test_a_missing_file() -> None:
    with pytest.raises(ConfigError, match="can't open config file '/nonexistent': No such file or directory"):
        load(["/nonexistent"])


class TestDefaultUser:
    """A genuine server that rewrites its file writes a line about the only user there is."""

    RULES = "~* &* +@all"
    SECRET = "#2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # SHA-256 of "secret"

    @pytest.mark.parametrize("more", ["", "sanitize-payload "])
    def test_who_may_do_everything(self, more: str, tmp_path: Path) -> None:
        load([write(tmp_path / "a.conf", f"user default on nopass {more}{self.RULES}\n")])
        lines = f"user default on {more}{self.SECRET} {self.RULES}\nrequirepass secret\n"
        assert load([write(tmp_path / "b.conf", lines)]).requirepass == "secret"

    @pytest.mark.parametrize(("login", "password"), [("nopass", "secret"), (SECRET, "other"), (SECRET, "")])
    def test_whose_password_is_another_one(self, login: str, password: str, tmp_path: Path) -> None:
        path = write(tmp_path / "redis.conf", f"user default on {login} {self.RULES}\n")
        with pytest.raises(ConfigError, match="`user default` has another password than `requirepass`"):
            load([path, "--requirepass", password])
