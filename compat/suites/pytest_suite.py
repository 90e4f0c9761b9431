"""What suites that run under pytest share: fetching a source distribution, and reading the results."""

from __future__ import annotations

import subprocess
import tarfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from pathlib import Path

from compat.results import cache
from compat.suites.base import Tally, run_quietly


def source(python: Path, name: str, version: str) -> Path:
    """The unpacked source distribution of a package; pip fetches it if necessary. Raises Unavailable."""
    folder = cache() / "suites"
    unpacked = folder / f"{name}-{version}"
    if not unpacked.exists():
        options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
        run_quietly([str(python), "-m", "pip", "download", *options, f"{name}=={version}"])
        with tarfile.open(folder / f"{name}-{version}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
    return unpacked


def run(
    python: Path,
    folder: Path,
    arguments: Sequence[str],
    skips: Mapping[str, str],
    limit: float,
    environment: Mapping[str, str] | None = None,
) -> Tally:
    """Run pytest in a folder. Files and tests named in `skips` are left out and counted as excluded.

    limit: seconds for the whole run; if it is exceeded, the results are incomplete, which counts as a failure.
    environment: its environment variables; ours if it is None.
    """
    report = folder / "junit.xml"
    report.unlink(missing_ok=True)
    command = [
        str(python),
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--no-header",
        "--tb=line",
        "-o",
        "junit_family=xunit1",
        f"--junitxml={report}",
        *arguments,
    ]
    command += [f"--deselect={name}" if "::" in name else f"--ignore-glob={folder / name}" for name in skips]
    tally = Tally(excluded=dict(skips))
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
        said = done.stdout[-500:] + done.stderr[-500:]
    except subprocess.TimeoutExpired:
        said = f"not done after {limit:.0f} s"
    if not report.exists():
        tally.failed["pytest"] = said
        return tally
    for case in ElementTree.parse(report).iter("testcase"):
        _count(case, tally)
    return tally


def _count(case: ElementTree.Element, tally: Tally) -> None:
    name = f"{case.get('classname', '')}::{case.get('name', '')}"
    for child in case:
        if child.tag in ("failure", "error"):
            tally.failed[name] = _first_line(child)
            return
        if child.tag == "skipped":
            tally.excluded[name] = _first_line(child)
            return
    tally.passed.append(name)


def _first_line(element: ElementTree.Element) -> str:
    return (element.get("message") or element.text or "?").strip().splitlines()[0][:300]
