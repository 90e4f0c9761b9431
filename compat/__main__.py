"""Comparisons with the outside world: `python -m compat VERB --help`.

Each verb starts and stops its own servers, prints what it finds as it runs, and keeps the results for `report`.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from importlib import import_module

VERBS = {
    "twin": ("compat.twin.run", "send the same commands to respcache and to genuine servers, and compare the answers"),
    "suites": ("compat.suites.run", "run other people's test suites"),
    "programs": ("compat.programs.run", "run real libraries the way their users do"),
    "fuzz-http": ("compat.fuzz_http.run", "send hostile HTTP to respcache's HTTP door, and judge what comes of it"),
    "fuzz-rdb": ("compat.fuzz_rdb.run", "give damaged payloads to RESTORE, and judge what comes of it"),
    "report": ("compat.report", "write REPORT.md from the results kept so far"),
}


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["bench"]:
        from compat.bench.__main__ import main as bench

        sys.argv[1:] = arguments[1:]
        return bench()
    # SIGTERM unwinds the stack as Control-C does, so that the servers are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return 1 if run(options) else 0
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m compat", description=__doc__.partition("\n\n")[0])
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, (module_name, about) in VERBS.items():
        verb = verbs.add_parser(name, help=about, description=about)
        module = import_module(module_name)
        if name != "report":
            _add_common_options(verb)
        module.add_options(verb)
        verb.set_defaults(run=module.run)
    verbs.add_parser("bench", help="measure speed and memory beside redis-server and fakeredis")
    return parser


def _add_common_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--shards", type=_counts, default=(1, 3), metavar="N[,N]", help="numbers of respcache's shards (default: 1,3)"
    )
    verb.add_argument("--server", default="", metavar="URL", help="test this server (redis://127.0.0.1:PORT) instead")
    verb.add_argument("--only", default="", metavar="NAME", help="run only this one")


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
