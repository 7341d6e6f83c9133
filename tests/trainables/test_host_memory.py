"""Claims about trainables/host_memory.py, on files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from trainables.host_memory import HostMemory, host_memory

GB = 10**9


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `proc` and `cgroup`, on a machine of 64 GB of which 40 GB are free."""

    class Machine:
        total, available = 64 * GB, 40 * GB

    monkeypatch.setattr(psutil, "virtual_memory", Machine)
    return tmp_path


def _write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def _group(kernel: Path, inside: str, limit: str, usage: int, stat: str = "anon 1\n") -> None:
    _write(kernel / "cgroup" / inside, memory__max=f"{limit}\n", memory__current=f"{usage}\n", memory__stat=stat)


def _host(kernel: Path) -> HostMemory:
    return host_memory(kernel / "proc", kernel / "cgroup")


def test_without_control_groups_the_machine_counts(kernel: Path) -> None:
    assert _host(kernel) == HostMemory(64 * GB, 40 * GB)


def test_a_limit_of_the_own_group_counts_and_pages_of_files_are_free(kernel: Path) -> None:
    _write(kernel / "proc/self", cgroup="0::/pod\n")
    _group(kernel, "pod", str(16 * GB), 10 * GB, f"anon 7\ninactive_file {3 * GB}\n")
    assert _host(kernel) == HostMemory(16 * GB, 9 * GB)


def test_a_limit_of_a_group_around_the_own_counts(kernel: Path) -> None:
    _write(kernel / "proc/self", cgroup="0::/slurm/job_7/step_0\n")
    _group(kernel, "slurm/job_7/step_0", "max", GB)
    _group(kernel, "slurm/job_7", str(20 * GB), 15 * GB)
    assert _host(kernel) == HostMemory(20 * GB, 5 * GB)


def test_a_container_that_sees_its_group_as_the_root_has_its_limit(kernel: Path) -> None:
    _write(kernel / "proc/self", cgroup="0::/../../pod7\n")
    _group(kernel, "", str(8 * GB), 9 * GB)
    assert _host(kernel) == HostMemory(8 * GB, 0)


def test_version_1_of_control_groups_counts_and_its_number_for_no_limit_does_not(kernel: Path) -> None:
    _write(kernel / "proc/self", cgroup="4:memory:/job\n0::/\n")
    files = {"memory__usage_in_bytes": f"{2 * GB}", "memory__stat": f"total_inactive_file {GB}\n"}
    _write(kernel / "cgroup/memory", memory__limit_in_bytes="9223372036854771712", **files)
    _write(kernel / "cgroup/memory/job", memory__limit_in_bytes=f"{12 * GB}", **files)
    assert _host(kernel) == HostMemory(12 * GB, 11 * GB)
