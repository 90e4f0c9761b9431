"""The documentation against the code: snippets run, links lead somewhere, generated pages are up to date and complete.

Shell commands are not run here: those of the README are run by `.ci/run`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from compat import docs
from respcache.commands.table.syntax import parse_syntax
from respcache.config.directives import NAMES
from respcache.testing import Server
from tests.support.curl import Sessions
from tests.support.node import packages_of
from tests.support.resp import Connection, ReplyError

ROOT = Path(__file__).resolve().parents[1]
GENERATED = [page for page in docs.PAGES if page.parent == docs.REFERENCE]
WRITTEN = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(set(ROOT.glob("docs/**/*.md")) - set(GENERATED))]
PAGES = [*WRITTEN, *GENERATED]

# A page that quotes the code, instead of showing code that uses it.
QUOTING = "adding-a-command.md"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def snippets(page: Path, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


# -- snippets


RUNNABLE = [page for page in WRITTEN if page.name != QUOTING and snippets(page, "python")]
# The pytest plugins of a page, and packages that its snippets need. Not all of them are `dev` requirements.
PLUGINS = {
    "asyncio.md": ["pytest_asyncio.plugin", "anyio.pytest_plugin", "pytest_trio.plugin"],
    "django.md": ["pytest_django.plugin"],
    "fastapi.md": ["anyio.pytest_plugin"],
    "tests.md": ["tests.conftest"],  # of docs/contributing: it has the fixture `do`
}
NEEDS = {
    "celery-and-rq.md": ["celery", "rq"],
    "django.md": ["django"],
    "fastapi.md": ["fastapi", "httpx2"],
    "flask.md": ["flask", "flask_caching", "flask_limiter", "flask_session"],
    "http.md": ["h11", "upstash_redis"],
    "replace-fakeredis.md": ["fakeredis", "freezegun"],
    "replace-testcontainers.md": ["testcontainers"],
}


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_python_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snippets with tests run under pytest with the settings of the page, the others as they are.

    A snippet that opens with a comment such as ``# app.py`` is that file. It is not run by itself: others import it.
    """
    plugins = PLUGINS.get(page.name, [])
    needed = {name.partition(".")[0] for name in (*plugins, *NEEDS.get(page.name, ()))}
    if missing := sorted(name for name in needed if find_spec(name) is None):
        pytest.skip(f"not installed: {', '.join(missing)}; the extras `dev` and `guides` have them")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # loading all installed plugins takes a second per page
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    settings = [block for block in snippets(page, "toml") if "[tool.pytest.ini_options]" in block]
    (tmp_path / "pyproject.toml").write_text(settings[0] if settings else "[tool.pytest.ini_options]\n")
    write_named_snippets(page, tmp_path)
    for number, code in enumerate(snippets(page, "python")):
        if name_in(code):
            continue
        is_test = "def test_" in code
        file = tmp_path / f"{'test_' if is_test else ''}snippet_{number}.py"
        file.write_text(code)
        if not is_test:
            run([sys.executable, str(file)], tmp_path)
    if page.name == "unittest.md":
        run([sys.executable, "-m", "unittest"], tmp_path)
    elif any(tmp_path.glob("test_*.py")):
        options = [word for plugin in ("respcache.testing.plugin", *plugins) for word in ("-p", plugin)]
        run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options], tmp_path)
    if page.name == "django.md":
        run([sys.executable, "-m", "django", "test", "--settings=settings_for_tests", "--pythonpath=."], tmp_path)


def name_in(code: str) -> str | None:
    """The name of the file that a snippet is, according to its first line."""
    found = re.match(r"# ([\w/]+\.py)\n", code)
    return found and found[1]


def write_named_snippets(page: Path, directory: Path) -> None:
    for code in snippets(page, "python"):
        if name := name_in(code):
            (directory / name).write_text(code)
    for name, content in files(page, "json"):
        (directory / name).write_text(content)


def files(page: Path, language: str) -> list[tuple[str, str]]:
    """The files that a page shows, for languages without comments: the text before such a block ends with its name."""
    pattern = rf"`([\w.]+)`:\n\n```{language}\n(.*?)^```$"
    return re.findall(pattern, page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_what_the_pages_replace_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No container can be started here, but what the page says of testcontainers must be there."""
    containers = pytest.importorskip("testcontainers.redis", exc_type=ImportError)
    page = ROOT / "docs" / "guides" / "replace-testcontainers.md"
    write_named_snippets(page, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("with_testcontainers")
    for name in ("get_client", "get_container_host_ip", "get_exposed_port", "with_command", "with_volume_mapping"):
        assert f"{name}(" in page.read_text("utf-8")
        assert callable(getattr(containers.RedisContainer, name))


# npm's packages for snippets are beside those of Python.
NODE_MODULES = Path(sys.prefix, "node_modules")


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on the PATH")
@pytest.mark.skipif(
    not NODE_MODULES.joinpath("@upstash/redis").exists(),
    reason=f"not installed: npm install --prefix {sys.prefix} @upstash/redis",
)
def test_tests_in_javascript_over_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    page = ROOT / "docs" / "guides" / "http.md"
    write_named_snippets(page, tmp_path)
    for code in snippets(page, "js"):
        name = code.splitlines()[0].removeprefix("// ")
        (tmp_path / name).write_text(code)
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    run([sys.executable, "-m", "respcache", "run", "--http", "--", "node", "--test"], tmp_path)


def test_tests_in_javascript(tmp_path: Path) -> None:
    packages_of("node_redis", tmp_path)
    for code in snippets(ROOT / "docs" / "guides" / "other-languages.md", "js"):
        (tmp_path / code.splitlines()[0].removeprefix("// ")).write_text(code)
    command = [sys.executable, "-m", "respcache", "run", "--", "node", "--test"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "pass 1" in done.stdout


# Around the snippet, which leaves out what any program has.
CACHE_OF_IOREDIS = """
import assert from "node:assert";
import Redis from "ioredis";
const url = process.env.REDIS_URL;
{snippet}
const other = new Redis(url);
const told = () => new Promise((resolve) => listener.once("messageBuffer", () => setImmediate(resolve)));
for (const key of ["one", "two"]) {{
  await other.set(key, "before");
  cache.set(key, await reader.get(key));
}}
let next = told();
await other.set("one", "after");
await next;
assert.deepEqual([...cache.keys()], ["two"]);
next = told();
await other.flushall();
await next;
assert.equal(cache.size, 0);
for (const client of [listener, reader, other]) client.disconnect();
"""


def test_a_cache_with_ioredis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages_of("ioredis", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (snippet,) = snippets(ROOT / "docs" / "guides" / "client-side-caching.md", "js")
    (tmp_path / "cache.mjs").write_text(CACHE_OF_IOREDIS.format(snippet=snippet))
    run([sys.executable, "-m", "respcache", "run", "--", "node", "cache.mjs"], tmp_path)


def run(command: list[str], directory: Path) -> None:
    done = subprocess.run(
        command, cwd=directory, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    assert "Ran 0 tests" not in done.stdout  # unittest does not fail then


def test_a_quoted_command_is_the_code() -> None:
    page = next(page for page in WRITTEN if page.name == QUOTING)
    (quoted,) = ast.parse(snippets(page, "python")[0]).body
    module = ast.parse(ROOT.joinpath("respcache", "commands", "lists", "elements.py").read_text("utf-8"))
    assert isinstance(quoted, ast.FunctionDef)
    (code,) = (node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == quoted.name)
    assert ast.unparse(quoted) == ast.unparse(code)


def console(page: Path) -> list[tuple[str, str]]:
    """The commands of the sessions on a page, each with what it prints."""
    sessions = "".join(snippets(page, "console"))
    return [
        (command, printed.rstrip("\n"))
        for command, printed in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", sessions, re.MULTILINE)
    ]


def with_sessions(program: str) -> list[Path]:
    return [page for page in WRITTEN if any(command.startswith(program) for command, _ in console(page))]


@pytest.mark.parametrize("page", with_sessions("redis-cli"), ids=name_of)
def test_sessions_of_redis_cli(page: Path) -> None:
    """``$ redis-cli -p 6379 COMMAND ...``, followed by what redis-cli prints."""
    with Server() as server:
        connection = Connection(server.port)
        for command, printed in console(page):
            words = shlex.split(command)
            if words[:3] == ["redis-cli", "-p", "6379"]:
                assert shown(connection.call(*words[3:])) == printed
        connection.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on the PATH")
@pytest.mark.parametrize("page", with_sessions("curl"), ids=name_of)
def test_sessions_of_curl(page: Path) -> None:
    with Sessions() as sessions:
        for command, printed in console(page):
            sessions.play(command, printed)


def shown(reply: Any) -> str:
    """The reply as redis-cli prints it."""
    match reply:
        case list():
            return "\n".join(f"{number}) {shown(item)}" for number, item in enumerate(reply, 1))
        case bytes():
            return f'"{reply.decode()}"'
        case int():
            return f"(integer) {reply}"
        case None:
            return "(nil)"
        case ReplyError():
            return f"(error) {reply}"
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


def links(page: Path) -> list[tuple[Path, str]]:
    """The files of this repository that a page links to, with the anchors."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))
    parted = [target.partition("#") for target in targets if not target.startswith(("http://", "https://"))]
    return [((page.parent / path).resolve() if path else page, anchor) for path, _, anchor in parted]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for linked, anchor in links(page):
        assert linked.exists(), linked
        assert not anchor or anchor in anchors(linked), anchor


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, following = set(), [ROOT / "README.md"]
    while following:
        page = following.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            following += [linked for linked, _ in links(page)]
    assert set(ROOT.glob("docs/**/*.md")) <= reached


# Pages that describe the code.
ABOUT_CODE = [page for page in WRITTEN if page.parent.name in ("concepts", "contributing")]


@pytest.mark.parametrize("page", ABOUT_CODE, ids=name_of)
def test_names_on_a_page_exist(page: Path) -> None:
    """Files such as `respcache/glob.py` or `tests/*.py`, and names such as `Worker.run`."""
    text = page.read_text("utf-8")
    for path in re.findall(r"`((?:respcache|compat|tests|docs|\.ci)/[\w./*-]+)`", text):
        assert any(ROOT.glob(path.rstrip("/"))), path
    code = "".join(path.read_text("utf-8") for path in sorted(ROOT.glob("respcache/**/*.py")))
    for owner, name in re.findall(r"`([A-Z]\w*[a-z]\w*)\.(\w+)", text):
        assert re.search(rf"^class {owner}\b", code, re.MULTILINE), owner
        assert re.search(rf"\b{name}\b", code), name


# -- completeness


def test_the_reference_is_up_to_date() -> None:
    stale = [page.name for page, make in docs.PAGES.items() if page.read_text("utf-8") != make()]
    assert not stale, "run `python -m compat.docs`"


def test_only_what_the_readme_names_is_missing() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "every other command of Redis 7.2 is there" in readme
    page = (ROOT / "docs" / "reference" / "differences.md").read_text("utf-8")
    groups = re.findall(r"^### (.*)$", page.partition("\n## Missing commands\n")[2], re.MULTILINE)
    named = {"Persistence": "persistence", "Access control lists": "ACLs", "Replication": "replication"}
    named |= {"Cluster": "Cluster", "Modules": "modules"}
    assert set(groups) == set(named)
    assert all(word in readme for word in named.values())


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


def test_every_part_of_the_testing_api_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "testing.md").read_text("utf-8")
    for fixture in ("respcache", "respcache_async", "respcache_server", "respcache_url"):
        assert f"### {fixture}\n" in page
    for name, member in inspect.getmembers(Server):
        if not name.startswith("_") and (callable(member) or isinstance(member, property)):
            assert f"### {name}\n" in page or f"### {name}()\n" in page
