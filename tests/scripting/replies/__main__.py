"""Record the replies of a genuine server (see the package)."""

from __future__ import annotations

import sys

from tests.scripting.replies import HERE, Case, read, write
from tests.scripting.world import GenuineWorld
from tests.support.processes import ReferenceServer


def main(program: str) -> None:
    server = ReferenceServer(program)
    try:
        worlds = {protocol: GenuineWorld(server.port, protocol) for protocol in (2, 3)}
        for file in sorted(HERE.glob("*.txt")):
            cases = read(file)
            write(
                file, [Case(case.script, {p: world.run(case.script) for p, world in worlds.items()}) for case in cases]
            )
    finally:
        server.stop()


if __name__ == "__main__":
    main(sys.argv[1])
