"""Claims about trainables/workers/process_group.py, in fresh processes: a process group is for life."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.distributed import distributed_c10d

from search_spaces.failure_kind import UnusableGpuError
from trainables.workers.process_group import PATIENCE_S, ensure_single, from_all_ranks, from_rank_0

SINGLE = """
from trainables.workers.process_group import ensure_single
ensure_single(); ensure_single()
import os, torch, torch.distributed as dist
value = torch.ones(1); dist.all_reduce(value)
print(dist.get_world_size(), value.item(), os.environ["RANK"], os.environ["WORLD_SIZE"])
"""

LISTEN = """
import torch, torch.distributed as dist
from trainables.workers.process_group import Rendezvous
meeting = Rendezvous()
address = meeting.listen("127.0.0.1", 2)
print(address, flush=True)
meeting.join(address, 0, 2, "cpu", 0)
value = torch.tensor([1.0]); dist.all_reduce(value); print(value.item())
"""

PATIENCE = """
from search_spaces.failure_kind import UnusableGpuError
from trainables.workers.process_group import PATIENCE_S, ensure_single
ensure_single()
import torch, torch.distributed as dist
groups = [dist.group.WORLD, dist.new_group([0])]
print([group._get_backend(torch.device("cpu")).options._timeout.total_seconds() == PATIENCE_S for group in groups])
"""

JOIN = """
import sys, torch, torch.distributed as dist
from trainables.workers.process_group import Rendezvous
meeting = Rendezvous()
meeting.join(sys.argv[1], 1, 2, "cpu", 1)
value = torch.tensor([2.0]); dist.all_reduce(value); print(value.item())
"""

LOOK = """
import sys, torch, torch.distributed as dist
from trainables.workers.process_group import Rendezvous, from_all_ranks, from_rank_0
meeting, rank = Rendezvous(), int(len(sys.argv) > 1)
if rank == 0:
    print(meeting.listen("127.0.0.1", 2), flush=True)
meeting.join("".join(sys.argv[1:]) or f"127.0.0.1:{meeting._store.port}", rank, 2, "cpu", rank)
print(from_rank_0(lambda: f"rank {dist.get_rank()}"))
def fail():
    raise OSError(5, "Input/output error", "result.json")
def fail_on_rank_1():
    return fail() if dist.get_rank() else "fine"
print(from_all_ranks(dist.get_rank))
for share, look in ((from_rank_0, fail), (from_all_ranks, fail_on_rank_1)):
    try:
        share(look)
    except Exception as error:
        print(type(error).__name__, error)
print(dist.group.WORLD._get_backend(torch.device("cpu")).options._timeout.total_seconds())
"""

ALONE = """
import sys, torch.distributed as dist
from datetime import timedelta
from trainables.workers.process_group import Rendezvous, from_rank_0, wait_for_all
meeting, rank = Rendezvous(), int(len(sys.argv) > 1)
if rank == 0:
    print(meeting.listen("127.0.0.1", 2), flush=True)
meeting.join("".join(sys.argv[1:]) or f"127.0.0.1:{meeting._store.port}", rank, 2, "cpu", rank)
store, entered = dist.distributed_c10d._get_default_store(), []
for name in ("broadcast_object_list", "barrier"):
    def collective(*args, call=getattr(dist, name), **options):
        store.set(f"rank {rank} is in a collective", "yes")
        call(*args, **options)
    setattr(dist, name, collective)
def work_alone():
    try:
        store.wait(["rank 1 is in a collective"], timedelta(seconds=1))
    except dist.DistStoreError:
        entered.append("no collective")
    else:
        entered.append("a collective")
from_rank_0(work_alone)
dist.barrier()
store.delete_key("rank 1 is in a collective")
dist.all_reduce(__import__("torch").ones(1))
if rank == 0:
    work_alone()
wait_for_all()
print(*entered, sep=", ")
"""


def test_ensure_single_twice_makes_one_group_of_one() -> None:
    done = subprocess.run([sys.executable, "-c", SINGLE], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["1", "1.0", "0", "1"]


def test_no_group_of_a_process_is_less_patient_than_its_launcher() -> None:
    done = subprocess.run([sys.executable, "-c", PATIENCE], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[True, True]"


def test_a_group_on_gpus_has_no_time_out_of_nccls_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: False)  # whatever other tests have joined
    monkeypatch.setattr("torch.distributed.init_process_group", lambda name, **options: made.append((name, options)))
    monkeypatch.setattr("torch.cuda.set_device", lambda index: None)
    ensure_single("cuda")
    ((library, options),) = made
    assert (library, options["timeout"].total_seconds()) == ("nccl", PATIENCE_S)
    assert options["device_id"] == torch.device("cuda", 0)
    assert distributed_c10d.default_pg_nccl_timeout.total_seconds() == PATIENCE_S  # of groups that libraries make


def test_rendezvous_two_processes_meet_on_a_port_that_the_system_chose() -> None:
    with subprocess.Popen([sys.executable, "-c", LISTEN], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        address = first.stdout.readline().strip()
        second = subprocess.run(
            [sys.executable, "-c", JOIN, address], capture_output=True, text=True, check=True, timeout=120
        )
        assert float(first.stdout.readline()) == float(second.stdout) == 3.0


def test_all_ranks_go_on_from_what_was_seen_or_end_by_the_failure_of_one() -> None:
    with subprocess.Popen([sys.executable, "-c", LOOK], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        address = first.stdout.readline().strip()
        second = subprocess.run(
            [sys.executable, "-c", LOOK, address], capture_output=True, text=True, check=True, timeout=120
        )
        answers = [text.splitlines() for text in (first.stdout.read(), second.stdout)]
    assert [answer[:2] for answer in answers] == [["rank 0", "[0, 1]"]] * 2
    assert answers[0][2] == answers[1][3] == "OSError [Errno 5] Input/output error: 'result.json'"
    assert answers[1][2].startswith("FailedPeerError rank 0 has failed: OSError")
    assert answers[0][3].startswith("FailedPeerError rank 1 has failed: OSError")
    assert {float(answer[4]) for answer in answers} == {PATIENCE_S}


def test_no_rank_is_in_a_collective_while_rank_0_works_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", ALONE], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        address = first.stdout.readline().strip()
        subprocess.run([sys.executable, "-c", ALONE, address], capture_output=True, check=True, timeout=120)
        assert first.stdout.read().strip() == "no collective, no collective"


def test_a_process_without_a_group_looks_for_itself() -> None:
    assert (from_rank_0(lambda: 3), from_all_ranks(lambda: 3)) == (3, [3])


def test_process_group_module_imports_no_torch() -> None:
    script = "import sys, trainables.workers.process_group, trainables.workers.worker; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_a_gpu_that_cannot_be_used_is_named_with_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_device(index: int) -> None:
        raise RuntimeError("Found no NVIDIA driver on your system.\nPlease check")

    monkeypatch.setattr("torch.distributed.is_initialized", lambda: False)  # whatever other tests have joined
    monkeypatch.setattr("torch.cuda.set_device", set_device)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with pytest.raises(UnusableGpuError, match=rf"^GPU 3 of {socket.gethostname()} cannot be used: Found no NVIDIA"):
        ensure_single("cuda")
