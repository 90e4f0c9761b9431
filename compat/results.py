"""The results of comparisons: the verbs write them, `report` reads them."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path


def cache() -> Path:
    """The directory for results and fetched suites, outside of the repository. Created if necessary."""
    configured = os.environ.get("RESPCACHE_COMPAT_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    path = Path(configured) if configured else Path(base, "respcache-compat")
    path.mkdir(parents=True, exist_ok=True)
    return path


@dataclass
class Outcome:
    """The result of one suite (or transcript, or program) in one variant on one target.

    `failed` maps names of tests to the first line of what went wrong, `excluded` to the reason for leaving them out.
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
        """Keep this outcome. It replaces an older one of the same suite, variant and target."""
        folder = cache() / "results" / self.verb
        folder.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w.-]+", "-", f"{self.name}--{self.variant}--{self.target}")
        (folder / f"{name}.json").write_text(json.dumps(asdict(self), indent=1, sort_keys=True), "utf-8")


def saved(verb: str) -> list[Outcome]:
    """All outcomes that were kept for a verb, sorted by name, variant and target."""
    folder = cache() / "results" / verb
    found = [Outcome(**json.loads(path.read_text("utf-8"))) for path in folder.glob("*.json")]
    return sorted(found, key=lambda outcome: (outcome.name, outcome.variant, not outcome.ours, outcome.target))
