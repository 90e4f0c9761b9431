"""The scripts that the server knows, and how a call of one runs.

A script's text travels to the shard with each call, so shards need not know which scripts there are, and one that was
restarted is as good as any. (A shard keeps compiled scripts by their texts.)

Texts given by SCRIPT LOAD stay until SCRIPT FLUSH. Those that came with EVAL are bounded as in Redis 7.4: the 500 that
were used last, and at most 64 MB of them.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from hashlib import sha1
from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.args import parse_int
from respcache.commands.scripting.closed import LONGEST, UNPROVEN, Proof, prove
from respcache.commands.scripting.scripts import UNKNOWN
from respcache.commands.table import Reach
from respcache.errors import CommandError
from respcache.scripting.headers import script_flags
from respcache.server.order.plan import Kind, Plan
from respcache.server.order.router import on_shard

if TYPE_CHECKING:
    from collections.abc import Collection

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.order.libraries import Libraries
    from respcache.server.order.router import Router

# The texts of EVAL: how many are kept, and with how many bytes together.
_MOST_EVALUATED = 500
_MOST_BYTES = 64 << 20

_BY_SHA = frozenset(("EVALSHA", "EVALSHA_RO"))
_FUNCTIONS = frozenset(("FCALL", "FCALL_RO"))


class Script:
    """A text that the server knows."""

    __slots__ = ("compiled", "loaded", "proof", "sha", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.sha = sha1(text, usedforsecurity=False).hexdigest().encode()
        self.proof = _proof_of(text)
        self.loaded = False  # by SCRIPT LOAD: it stays
        self.compiled = False  # it is certain that it can be; EVAL finds out in the shard


class Image(NamedTuple):
    """Scripts, each with whether it was given by SCRIPT LOAD; and the SHAs of those that came with EVAL, in order."""

    scripts: list[tuple[Script, bool]]
    evaluated: list[bytes]

    @property
    def size(self) -> int:
        """Bytes of all texts."""
        return sum(len(script.text) for script, _ in self.scripts)


class Scripts:
    """All scripts of one namespace, by SHA and by text."""

    def __init__(self, router: Router, libraries: Libraries) -> None:
        self._router = router
        self._libraries = libraries
        self._by_sha: dict[bytes, Script] = {}
        self._by_text: dict[bytes, Script] = {}
        # Changes of libraries that are under way: what functions there will be behind them is not known.
        self.unsettled = 0
        # Those that came with EVAL, the latest last, and the bytes of their texts.
        self._evaluated: OrderedDict[bytes, Script] = OrderedDict()
        self._evaluated_bytes = 0

    def __len__(self) -> int:
        return len(self._by_sha)

    @property
    def memory(self) -> int:
        """Bytes of all texts."""
        return sum(map(len, self._by_text))

    # -- the cache

    def find(self, sha: bytes) -> Script | None:
        """The script with this SHA, in any case."""
        return self._by_sha.get(sha) or self._by_sha.get(sha.lower())

    def load(self, text: bytes) -> Script:
        """SCRIPT LOAD, of a text that can be compiled."""
        script = self._by_text.get(text)
        if script is None:
            script = Script(text)
            self._add(script)
        elif not script.loaded:
            self._forget_evaluated(script)
        script.loaded = script.compiled = True
        return script

    def _evaluate(self, text: bytes) -> Script:
        """EVAL, of a text that perhaps cannot be compiled: the shard says so then, see `drop`."""
        script = self._by_text.get(text)
        if script is None:
            script = Script(text)
            self._add(script)
            self._evaluated[script.sha] = script
            self._evaluated_bytes += len(text)
            while len(self._evaluated) > _MOST_EVALUATED or self._evaluated_bytes > _MOST_BYTES:
                self.drop(next(iter(self._evaluated)))
        else:
            self._touch(script)
        return script

    def _touch(self, script: Script) -> None:
        if not script.loaded:
            self._evaluated.move_to_end(script.sha)

    def _add(self, script: Script) -> None:
        self._by_sha[script.sha] = self._by_text[script.text] = script

    def _forget_evaluated(self, script: Script) -> None:
        del self._evaluated[script.sha]
        self._evaluated_bytes -= len(script.text)

    def drop(self, sha: bytes) -> None:
        """A script that came with EVAL is not worth keeping."""
        script = self._by_sha.get(sha)
        if script is not None and not script.loaded:
            self._forget_evaluated(script)
            del self._by_sha[sha], self._by_text[script.text]

    def flush(self) -> None:
        """SCRIPT FLUSH."""
        self._by_sha.clear()
        self._by_text.clear()
        self._evaluated.clear()
        self._evaluated_bytes = 0

    # -- snapshots

    def image(self) -> Image:
        """The scripts that are known now."""
        return Image([(script, script.loaded) for script in self._by_text.values()], list(self._evaluated))

    def put_back(self, image: Image) -> None:
        """Know the scripts of that moment again, and no others."""
        self.flush()
        for script, loaded in image.scripts:
            script.loaded = loaded
            self._add(script)
        for sha in image.evaluated:
            script = self._evaluated[sha] = self._by_sha[sha]
            self._evaluated_bytes += len(script.text)

    # -- calls

    def plan(self, row: Command, argv: Argv, *, queued: bool) -> Plan:
        """How this call runs. With `queued`, it will do so at the end of a transaction: by then a script may be known,
        and a function be another one.
        """
        unknown = row.name in _FUNCTIONS and (queued or self.unsettled)
        proof = UNPROVEN if unknown else self._proof(row, argv)
        shards = self._router.shards
        if proof is None:  # no such script or function
            if not queued:
                return _ON_THE_FIRST
            proof = UNPROVEN
        if shards == 1:
            return _ON_THE_FIRST if proof.in_shard else _BY_MAIN
        positions = self._positions(row, argv)
        if not proof.closed:
            for shard in range(shards):
                positions.setdefault(shard, [])
            return Plan(Kind.SCRIPT, positions)
        if not positions:
            return _ON_THE_FIRST
        return Plan(Kind.ONE if len(positions) == 1 else Kind.SCRIPT, positions)

    def _proof(self, row: Command, argv: Argv) -> Proof | None:
        if row.name in _FUNCTIONS:
            return self._libraries.proof(argv[1])
        if row.name in _BY_SHA:
            script = self.find(argv[1])
            return None if script is None else script.proof
        script = self._by_text.get(argv[1])
        return _proof_of(argv[1]) if script is None else script.proof

    def _positions(self, row: Command, argv: Argv) -> dict[int, list[int]]:
        if argv[2] == b"1" and len(argv) > 3:  # as most are called
            return {self._router.shard_of(argv[3]): [3]}
        indexes = row.key_positions(argv)
        shards = self._router.shards_of([argv[at] for at in indexes])
        return {shard: on_shard(shard, indexes, shards) for shard in dict.fromkeys(shards)}

    def flags(self, row: Command, argv: Argv) -> Collection[bytes] | None:
        """What the script or the function that is called says of itself; None if it is none, or says nothing."""
        if row.name in _FUNCTIONS:
            return self._libraries.flags(argv[1])
        if row.reach is not Reach.SCRIPT:
            return None
        text = argv[1]
        if row.name in _BY_SHA:
            script = self.find(text)
            text = b"" if script is None else script.text
        try:
            return script_flags(text)[0]
        except CommandError:
            return None  # it is refused when it is to run

    def words(self, row: Command, argv: Argv) -> Argv:
        """The words for the shard, with the text in the place of its SHA. Now the script is called."""
        if row.name in _FUNCTIONS:
            return argv
        if row.name in _BY_SHA:
            script = self.find(argv[1])
            if script is None:
                return [argv[0], UNKNOWN + argv[1], *argv[2:]]
            self._touch(script)
            return [argv[0], script.text, *argv[2:]]
        count = parse_int(argv[2])
        if count is not None and 0 <= count <= len(argv) - 3:  # else it is refused before it is looked at
            self._evaluate(argv[1])
        return argv


_ON_THE_FIRST = Plan(Kind.ONE, {0: []})
# With a barrier although there is but one shard: main has to answer while the script runs.
_BY_MAIN = Plan(Kind.SCRIPT, {0: []})


def _proof_of(text: bytes) -> Proof:
    """Of a script that is not known yet. It is called soon: the proof is found only once."""
    return UNPROVEN if len(text) > LONGEST else _prove_once(text)


_prove_once = lru_cache(maxsize=64)(prove)
