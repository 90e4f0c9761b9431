"""RESPCACHE LINT: what was found that would break or hurt in production."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.resp.types import OK
from respcache.server.commands.control.family import CONTROL, command, refuse_in_namespace
from respcache.server.services.lint.rules import RULES
from respcache.server.shards.link import settled
from respcache.shard import wire

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.resp.types import Reply
    from respcache.server.clients.client import Client
    from respcache.server.services.lint.findings import Finding


@command("RESPCACHE LINT", "<REPORT | RESET>", arity=3, flags=CONTROL, since="7.2.0")
def respcache_lint(client: Client, args: Args) -> Any:
    """Tell what lint has found, or forget it.

    The directive `lint` switches it on. REPORT gives a map: the mode, the profile, how often something was found for
    which there was no room, and the findings, each a map. It comes when all is known of the commands that were answered
    before. RESET makes lint forget what it has found and counted; RESPCACHE RESET does so, too.
    """
    word = args.next()
    match word.upper():
        case b"REPORT":
            return _report(client)
        case b"RESET":
            refuse_in_namespace(client, "RESPCACHE LINT RESET")
            client.parts.lint.reset()
            return OK
        case _:
            raise errors.unknown_call("RESPCACHE", word)


async def _report(client: Client) -> Reply:
    parts = client.parts
    parts.lint.look_at_written()
    for call in [link.ask(wire.skip(), passing=False) for link in parts.links]:
        await settled(call)
    findings = parts.lint.findings
    return {
        b"mode": parts.config.lint.encode(),
        b"profile": parts.config.lint_profile.encode(),
        b"dropped": findings.dropped,
        b"findings": [_described(finding) for finding in findings],
    }


def _described(finding: Finding) -> Reply:
    rule = RULES[finding.rule]
    described: dict[bytes, Any] = {**finding.fields(), b"why": rule.why.encode(), b"instead": rule.instead.encode()}
    return described
