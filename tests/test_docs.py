"""The documentation against the code: snippets run, links lead somewhere, generated pages are up to date and complete.

What is not run here: shell commands of the README, which `.ci/run` runs, and those of other pages.
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from compat import docs
from respcache.commands.table.syntax import parse_syntax
from respcache.config.directives import NAMES
from respcache.testing import Server
from tests.support.resp import Connection

ROOT = Path(__file__).parents[1]
GENERATED = [page for page in docs.PAGES if page.parent == docs.REFERENCE]
WRITTEN = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(set(ROOT.glob("docs/**/*.md")) - set(GENERATED))]
PAGES = [*WRITTEN, *GENERATED]

# Shows a piece of the code, instead of being code that uses it.
QUOTING = "adding-a-command.md"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def snippets(page: Path, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


# -- snippets


RUNNABLE = [page for page in WRITTEN if page.name != QUOTING and snippets(page, "python")]


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_python_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those with tests run under a pytest with the settings of the page, the others as they are."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    settings = [block for block in snippets(page, "toml") if "[tool.pytest.ini_options]" in block]
    (tmp_path / "pyproject.toml").write_text(settings[0] if settings else "[tool.pytest.ini_options]\n")
    tests = 0
    for number, code in enumerate(snippets(page, "python")):
        is_test = "def test_" in code
        tests += is_test
        file = tmp_path / f"{'test_' if is_test else ''}snippet_{number}.py"
        file.write_text(code)
        if not is_test:
            run([sys.executable, str(file)], tmp_path)
    if tests:
        # Installed, the plugin is there by itself. `do` is a fixture of these tests here.
        plugins = [] if entry_points(group="pytest11", name="respcache") else ["-p", "respcache.testing.plugin"]
        plugins += ["-p", "tests.conftest"] if "contributing" in page.parts else []
        run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *plugins], tmp_path)


def run(command: list[str], directory: Path) -> None:
    done = subprocess.run(
        command, cwd=directory, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout


def test_a_quoted_command_is_the_code() -> None:
    page = next(page for page in WRITTEN if page.name == QUOTING)
    (quoted,) = ast.parse(snippets(page, "python")[0]).body
    module = ast.parse(ROOT.joinpath("respcache", "commands", "lists", "elements.py").read_text("utf-8"))
    assert isinstance(quoted, ast.FunctionDef)
    (code,) = (node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == quoted.name)
    assert ast.unparse(quoted) == ast.unparse(code)


CONSOLES = [page for page in WRITTEN if snippets(page, "console")]


@pytest.mark.parametrize("page", CONSOLES, ids=name_of)
def test_console_sessions(page: Path) -> None:
    """``$ redis-cli -p 6379 COMMAND ...``, and what redis-cli prints."""
    with Server() as server:
        connection = Connection(server.port)
        for session in snippets(page, "console"):
            for line, printed in re.findall(r"^\$ redis-cli -p 6379 (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE):
                assert shown(connection.call(*shlex.split(line))) == printed.rstrip("\n")
        connection.close()


def shown(reply: Any) -> str:
    """As redis-cli prints it."""
    match reply:
        case list():
            return "\n".join(f"{number}) {shown(item)}" for number, item in enumerate(reply, 1))
        case bytes():
            return f'"{reply.decode()}"'
        case int():
            return f"(integer) {reply}"
        case _:
            return str(reply)


def test_the_readme_has_the_two_commands() -> None:
    assert snippets(ROOT / "README.md", "sh") == [
        "pip install . && respcache --port 6379\n",
        "pip install '.[dev]' && pytest\n",
    ]


# -- links


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub links to them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize(
    "page", [page for page in WRITTEN if page.parts[-2] in ("docs", "guides", "contributing")], ids=name_of
)
def test_a_page_can_be_found(page: Path) -> None:
    """From the README, or from a page of its directory or above."""
    linking = [other for other in WRITTEN if other != page and page.name in other.read_text("utf-8")]
    assert linking


# -- completeness


def test_the_reference_is_up_to_date() -> None:
    stale = [page.name for page, make in docs.PAGES.items() if page.read_text("utf-8") != make()]
    assert not stale, "run `python -m compat.docs`"


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
    listed = [line.split("`")[1].replace("\\|", "|") for line in page.splitlines() if line.startswith("| `")]
    shown = [row for row in docs.rows() if not row.subcommands or row.accepts(1)]
    assert sorted(listed) == sorted(f"{row.name} {row.syntax}".strip() for row in shown)


@pytest.mark.parametrize("row", list(docs.rows()), ids=lambda row: row.wire_name)
def test_every_row_says_what_it_is(row: docs.Command) -> None:
    assert row.group in docs.GROUPS
    assert row.summary.endswith("."), "the docstring's first line is the summary: a sentence"
    assert re.fullmatch(r"\d+\.\d+\.\d+", row.since)
    parse_syntax(row.name, row.syntax, len(row.keys))  # raises ValueError


def test_every_directive_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text("utf-8")
    missing = [name for name in NAMES if f"`{name}`" not in page]
    assert not missing
