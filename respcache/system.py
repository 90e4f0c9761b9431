"""Figures of the operating system: memory in bytes, and load. 0 where they are not available (no /proc)."""

from __future__ import annotations

import os


def resident(pid: int) -> int:
    """The physical memory that a process holds."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def peak_resident(pid: int) -> int:
    """The most that a process has held since it started."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith(b"VmHWM:")), 0)
    except OSError:
        return 0


def total() -> int:
    """The physical memory of this machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def load() -> float:
    """How many programs want to run: now, or on average during the last minute, whichever is more."""
    try:
        with open("/proc/loadavg", "rb") as file:
            average, _, _, now, _ = file.read().split()
        return max(float(average), float(now.partition(b"/")[0]))
    except OSError:
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
