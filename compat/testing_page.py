"""docs/reference/testing.md: the testing API, read from the docstrings in `respcache.testing`."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import respcache.testing
from respcache.testing import RespcacheMixin, RespcacheTestCase, Server, StartError, keys
from respcache.testing.call import Call
from respcache.testing.calls import Calls
from respcache.testing.clock import AsyncServerClock, ServerClock
from respcache.testing.faults import AsyncFault, AsyncServerFaults, Fault, FaultState, Filters, ServerFaults
from respcache.testing.journal import AsyncCalls
from respcache.testing.lint import AsyncServerLint, LintFinding, ServerLint
from respcache.testing.namespaces import Namespace
from respcache.testing.plugin import marks
from respcache.testing.shared import SharedServer
from respcache.testing.snapshots import AsyncServerSnapshots, ServerSnapshots, Snapshot

# What properties and methods of a server give, and what these give.
_PARTS: tuple[type, ...] = (
    *(ServerClock, AsyncServerClock),
    *(ServerFaults, AsyncServerFaults, Fault, AsyncFault, FaultState, Filters),
    *(ServerSnapshots, AsyncServerSnapshots),
    *(Namespace, SharedServer),
    *(Calls, AsyncCalls, Call),
    *(ServerLint, AsyncServerLint, LintFinding),
)
_SOURCES = Path(respcache.testing.__file__).parent


def parts() -> Iterator[str]:
    """The paragraphs of the page, after its title."""
    yield "The pytest fixtures and `respcache.testing`. How to use them: [testing](../guides/testing.md)."
    yield "## Fixtures"
    for function, scope in fixtures():
        yield f"### {function.name}"
        yield f"*Scope: {scope}.*"
        yield _markdown(_docstring(function.name, ast.get_docstring(function)))
    yield "## Options in the pytest settings"
    yield "\n".join(f"- `{name}`: {text}." for name, text in ini_options())
    yield f"## The mark `{marks.NAME}`"
    yield f"`@pytest.mark.{marks.HELP.partition(': ')[0]}`"
    text = marks.HELP.partition(": ")[2]
    yield text[0].upper() + text[1:]
    yield "## Server"
    yield f"```python\nfrom respcache.testing import Server\n\n{_call(Server)}\n```"
    yield from described(Server)
    for part in _PARTS:
        yield f"## {part.__name__}"
        yield from described(part)
    yield "## Snapshot"
    yield _markdown(_docstring("Snapshot", inspect.getdoc(Snapshot)))
    yield "## Keys in JSON"
    yield _indented_as_json(_docstring("keys", keys.__doc__))
    for part in (RespcacheTestCase, RespcacheMixin):
        yield f"## {part.__name__}"
        yield _markdown(_docstring(part.__name__, inspect.getdoc(part)))
    yield "## StartError"
    yield _markdown(_docstring("StartError", inspect.getdoc(StartError)))


def described(of: type) -> Iterator[str]:
    """A class and its members."""
    yield _markdown(_docstring(of.__name__, inspect.getdoc(of)))
    for name, member in members(of):
        if isinstance(member, property):
            assert member.fget is not None
            returns = _signature(member.fget).return_annotation
            yield f"### {name}"
            yield f"*Property: `{returns}`.*"
        else:
            yield f"### {name}()"
            awaited = "await " if inspect.iscoroutinefunction(member) else ""
            yield f"`{awaited}{_call(member, name)}`"
        yield _markdown(_docstring(name, inspect.getdoc(member)))


def members(of: type) -> Iterator[tuple[str, Any]]:
    """The public properties and methods of a class, in the order of their declaration."""
    for base in reversed(of.__mro__[:-1]):
        if base is not of and (base in _PARTS or not base.__module__.startswith("respcache.")):
            continue  # described elsewhere
        for name, member in vars(base).items():
            if not name.startswith("_") and (isinstance(member, property) or inspect.isfunction(member)):
                yield name, member


def fixtures() -> Iterator[tuple[ast.FunctionDef, str]]:
    """The functions that are public pytest fixtures, with their scopes."""
    for node in _statements():
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        for decorator in map(ast.unparse, node.decorator_list):
            if decorator.startswith("pytest.fixture"):
                scope = re.search(r"scope='(\w+)'", decorator)
                yield node, scope[1] if scope else "function"


def ini_options() -> Iterator[tuple[str, str]]:
    """Names and help of the options that the plugin adds."""
    for statement in _statements():
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".addini"):
                name, text = (ast.literal_eval(argument) for argument in node.args[:2])
                yield name, text


def _statements() -> Iterator[ast.stmt]:
    for path in sorted(_SOURCES.rglob("*.py")):
        yield from ast.parse(path.read_text("utf-8")).body


def _docstring(name: str, text: str | None) -> str:
    assert text, f"{name} has no docstring"
    return text


def _markdown(docstring: str) -> str:
    """Literals with one backtick; lines such as ``args: further directives`` and ``Errors: ...`` as list items."""
    text = docstring.replace("``", "`")
    return re.sub(r"^(\w+): ", lambda found: f"- {_item(found[1])}: ", text, flags=re.MULTILINE)


def _indented_as_json(docstring: str) -> str:
    """A text with one indented block, which is JSON."""
    before, block, after = docstring.strip().split("\n\n", 2)
    return f"{before}\n\n```json\n{inspect.cleandoc(block)}\n```\n\n{after}"


def _item(name: str) -> str:
    return name if name[0].isupper() else f"`{name}`"


class _Plain(str):
    """An annotation that is shown as it was written, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _signature(function: Any) -> inspect.Signature:
    signature = inspect.signature(function)
    parameters = [
        parameter
        if parameter.annotation is parameter.empty
        else parameter.replace(annotation=_Plain(parameter.annotation))
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    returns = signature.return_annotation
    return inspect.Signature(parameters, return_annotation=returns if returns is signature.empty else _Plain(returns))


def _call(callee: Any, name: str = "") -> str:
    """The signature, as in a call; that of a class has one argument per line."""
    signature = _signature(callee)
    if not inspect.isclass(callee):
        return f"{name}{signature}"
    lines = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in lines:
            lines.append("*")
        lines.append(str(parameter))
    return "\n".join([f"{callee.__name__}(", *(f"    {line}," for line in lines), ")"])
