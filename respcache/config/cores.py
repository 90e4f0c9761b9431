"""How many cores this process may use, and how many shards to start by default.

Besides the machine, two things limit a process: its affinity (``taskset``, cpusets) and, on Linux, the quota of its
control group (``docker run --cpus 1.5``, the limits of a Kubernetes pod).
"""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


def default_shards(cores: float) -> int:
    """Half the cores, at least 1 and at most 4: the main process and the clients need the other half."""
    return min(4, max(1, int(cores / 2)))


def usable_cores() -> float:
    """The number of cores that this process may use. With a quota it may be a fraction."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return cores if quota is None else min(cores, quota)


def cgroup_quota(proc: Path = _PROC, cgroups: Path = _CGROUPS) -> float | None:
    """The lowest quota, in cores, of this process' control group and those above it; None if there is no limit.

    Lines of /proc/self/cgroup are ``ID:CONTROLLERS:PATH``, with no controllers for version 2. In a container the path
    may be that of the host, which does not exist there; the top directory is then the container's own group.
    """
    try:
        lines = (proc / "self" / "cgroup").read_text("utf-8").splitlines()
    except OSError:
        return None
    quotas: list[float | None] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            quotas += [_quota_v2(group) for group in _groups(cgroups, path)]
        elif "cpu" in controllers.split(","):
            quotas += [_quota_v1(group) for group in _groups(cgroups / "cpu", path)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _groups(top: Path, path: str) -> list[Path]:
    """The directory of the group at `path`, and of all groups above it, up to `top`."""
    names = [name for name in path.split("/") if name not in ("", "..")]
    return [top.joinpath(*names[:count]) for count in range(len(names) + 1)]


def _quota_v2(group: Path) -> float | None:
    """``cpu.max`` is ``QUOTA PERIOD``, in microseconds; ``max`` means no quota."""
    try:
        quota, period = (group / "cpu.max").read_text("ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(group: Path) -> float | None:
    """A quota of -1 means no quota."""
    try:
        quota = int((group / "cpu.cfs_quota_us").read_text("ascii"))
        period = int((group / "cpu.cfs_period_us").read_text("ascii"))
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
