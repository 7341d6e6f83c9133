"""Claims about search_spaces/oom_kills.py, on files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.oom_kills import count_oom_kills

VERSION_2 = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"
VERSION_1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """A folder with `proc` and `cgroup`, on a machine that has killed nine processes."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "cgroup").mkdir()
    (tmp_path / "proc" / "vmstat").write_text("nr_free_pages 1\noom_kill 9\n")
    return tmp_path


def counted(kernel: Path) -> int | None:
    return count_oom_kills(kernel / "proc", kernel / "cgroup")


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_version_2_own_group_counts(kernel: Path) -> None:
    write(kernel / "proc/self/cgroup", "0::/slurm/job_7\n")
    write(kernel / "cgroup/slurm/job_7/memory.events", VERSION_2)
    assert counted(kernel) == 2


def test_version_2_container_that_sees_its_group_as_the_root_counts(kernel: Path) -> None:
    write(kernel / "proc/self/cgroup", "0::/../../pod7\n")
    write(kernel / "cgroup/memory.events", VERSION_2)
    assert counted(kernel) == 2


def test_version_1_memory_controller_counts(kernel: Path) -> None:
    write(kernel / "proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/job\n0::/\n")
    write(kernel / "cgroup/memory/job/memory.oom_control", VERSION_1)
    assert counted(kernel) == 5


def test_group_without_a_counter_leaves_the_machines(kernel: Path) -> None:
    write(kernel / "proc/self/cgroup", "0::/\n")
    assert counted(kernel) == 9


def test_kernel_that_tells_nothing_is_no_evidence(tmp_path: Path) -> None:
    assert counted(tmp_path) is None
