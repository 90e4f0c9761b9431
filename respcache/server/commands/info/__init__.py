"""INFO. Every field of Redis 7.2: real figures, and for features that respcache lacks the value of an unused feature.

A section is a function from `Facts` to its fields, in Redis' order, so adding a field is one line. `SECTIONS` lists the
sections in Redis' order; /metrics (`respcache.server.doors.http.metrics`) reads them, too. Their functions are in

* `system`: server, clients, cpu;
* `memory`: memory (its figures come from `footprint`, as do those of MEMORY STATS and MEMORY DOCTOR);
* `storage`: persistence, replication, cluster, keyspace;
* `traffic`: stats and errorstats;
* `times`: commandstats and latencystats;
* `own`: modules, and shards, a section that Redis does not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import LOADING, STALE, family
from respcache.commands.table.tips import ALL_SHARDS_MERGED
from respcache.resp.types import Verbatim
from respcache.server.commands.info import memory, own, storage, system, times, traffic
from respcache.server.commands.info.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.commands.args import Args
    from respcache.resp.types import Reply
    from respcache.server.clients.client import Client
    from respcache.server.commands.info.facts import Fields

command = family("server")

# Title -> the function that fills the section. INFO's argument is the title in lower case.
SECTIONS: dict[str, Callable[[Facts], Fields]] = {
    "Server": system.server,
    "Clients": system.clients,
    "Memory": memory.memory,
    "Persistence": storage.persistence,
    "Stats": traffic.stats,
    "Replication": storage.replication,
    "CPU": system.cpu,
    "Modules": own.modules,
    "Commandstats": times.commands,
    "Errorstats": traffic.errors,
    "Latencystats": times.percentiles,
    "Cluster": storage.cluster,
    "Keyspace": storage.keyspace,
    "Shards": own.shards,
}
# Not shown by default, as in Redis.
_ON_DEMAND = {"Commandstats", "Latencystats"}
# Shown when Redis shows the sections of modules: for "everything", "modules" and the name of the section.
_OF_MODULES = {"Shards"}
# Second names of sections.
_ALIASES = {"module_list": "modules"}


@command(
    "INFO",
    "[section [section ...]]",
    arity=-1,
    flags=LOADING | STALE,
    since="1.0.0",
    categories=("dangerous",),
    tips=ALL_SHARDS_MERGED,
)
async def info(client: Client, args: Args) -> Reply:
    """Return figures about the server, by section."""
    titles = _wanted([word.lower().decode("latin-1") for word in args.rest()] or ["default"])
    facts = await Facts.gather(client, memory="Memory" in titles)
    text = "\r\n".join(_print(title, SECTIONS[title](facts)) for title in titles)
    return Verbatim(text.encode("utf-8", "surrogateescape"))


def _wanted(words: list[str]) -> list[str]:
    """The titles of the sections that INFO's arguments ask for, in the order of printing."""
    names = {_ALIASES.get(word, word) for word in words}
    if names & {"everything", "modules"}:
        names |= {title.lower() for title in _OF_MODULES}
    if names & {"default", "all", "everything"}:
        left_out = _OF_MODULES if names & {"all", "everything"} else _OF_MODULES | _ON_DEMAND
        names |= {title.lower() for title in SECTIONS if title not in left_out}
    return [title for title in SECTIONS if title.lower() in names]


def _print(title: str, fields: Fields) -> str:
    shown = ((name, value() if callable(value) else value) for name, value in fields.items())
    return f"# {title}\r\n" + "".join(f"{name}:{value}\r\n" for name, value in shown)
