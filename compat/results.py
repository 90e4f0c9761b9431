"""What a comparison has found: written down by the verbs, read by `report`."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path


def cache() -> Path:
    """Where results and fetched suites are kept: outside of the repository, and worth keeping."""
    configured = os.environ.get("RESPCACHE_COMPAT_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(configured) if configured else Path(base, "respcache-compat")
    path.mkdir(parents=True, exist_ok=True)
    return path


@dataclass
class Outcome:
    """One suite (or script of commands, or program) in one variant on one target.

    `failed` and `excluded` are names of tests, with the first line of what went wrong, or with the reason.
    """

    verb: str  # twin, suites, programs
    name: str
    variant: str
    target: str
    ours: bool
    passed: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    version: str = ""  # of the suite or the program
    when: str = field(default_factory=lambda: time.strftime("%Y-%m-%d", time.gmtime()))

    def line(self) -> str:
        """For the terminal."""
        counts = f"{self.passed} passed, {len(self.failed)} failed, {len(self.excluded)} excluded"
        variant = f" ({self.variant})" if self.variant else ""
        return f"{self.name}{variant} on {self.target}: {counts}, {self.seconds:.0f} s"

    def save(self) -> None:
        """Keep it, in place of what there was for the same suite, variant and target."""
        folder = cache() / "results" / self.verb
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w.-]+", "-", f"{self.name}--{self.variant}--{self.target}")
        (folder / f"{name}.json").write_text(json.dumps(asdict(self), indent=1, sort_keys=True), "utf-8")


def saved(verb: str) -> list[Outcome]:
    """All kept outcomes of a verb, by name, variant, and target."""
    folder = cache() / "results" / verb
    found = [Outcome(**json.loads(path.read_text("utf-8"))) for path in folder.glob("*.json")]
    return sorted(found, key=lambda outcome: (outcome.name, outcome.variant, not outcome.ours, outcome.target))
