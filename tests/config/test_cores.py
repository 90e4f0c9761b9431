"""The default number of shards, which depends on the usable cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from respcache.config.cores import cgroup_quota, default_shards, usable_cores


@pytest.mark.parametrize(
    ("cores", "shards"),
    [(0.5, 1), (1, 1), (2, 1), (3, 1), (3.9, 1), (4, 2), (5, 2), (6, 3), (7.5, 3), (8, 4), (64, 4)],
)
def test_half_the_cores_at_least_one_at_most_four(cores: float, shards: int) -> None:
    assert default_shards(cores) == shards


@pytest.fixture
def system(tmp_path: Path) -> tuple[Path, Path]:
    """/proc and /sys/fs/cgroup, empty."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "cgroup").mkdir()
    return tmp_path / "proc", tmp_path / "cgroup"


def group_v2(cgroups: Path, path: str, quota: str) -> None:
    directory = cgroups / path
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cpu.max").write_text(f"{quota}\n")


def test_no_control_groups(system: tuple[Path, Path]) -> None:
    assert cgroup_quota(*system) is None


@pytest.mark.parametrize(
    ("quotas", "cores"),
    [
        ({}, None),
        ({"a/b": "max 100000"}, None),
        ({"a/b": "150000 100000"}, 1.5),
        ({"a": "200000 100000", "a/b": "max 100000"}, 2.0),
        ({"a": "50000 100000", "a/b": "400000 100000"}, 0.5),
        ({"": "300000 100000"}, 3.0),  # in a container, where the path is that of the host
        ({"a/b": "nonsense"}, None),
        ({"other": "50000 100000"}, None),
    ],
)
def test_version_2(system: tuple[Path, Path], quotas: dict[str, str], cores: float | None) -> None:
    proc, cgroups = system
    (proc / "self" / "cgroup").write_text("0::/a/b\n")
    for path, quota in quotas.items():
        group_v2(cgroups, path, quota)
    assert cgroup_quota(proc, cgroups) == cores


@pytest.mark.parametrize(("quota", "cores"), [("150000", 1.5), ("-1", None), ("x", None)])
def test_version_1(system: tuple[Path, Path], quota: str, cores: float | None) -> None:
    proc, cgroups = system
    (proc / "self" / "cgroup").write_text("5:memory:/m\n4:cpu,cpuacct:/docker/1:2\n0::/\n")
    directory = cgroups / "cpu" / "docker" / "1:2"
    directory.mkdir(parents=True)
    (directory / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (directory / "cpu.cfs_period_us").write_text("100000\n")
    assert cgroup_quota(proc, cgroups) == cores


def test_affinity_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 2, 5}, raising=False)
    monkeypatch.setattr("respcache.config.cores.cgroup_quota", lambda: None)
    assert usable_cores() == 3
    monkeypatch.setattr("respcache.config.cores.cgroup_quota", lambda: 1.5)
    assert usable_cores() == 1.5
    monkeypatch.setattr("respcache.config.cores.cgroup_quota", lambda: 8.0)
    assert usable_cores() == 3
