"""Claims about trainables/workers/process_group.py, in fresh processes: a process group is for life."""

from __future__ import annotations

import subprocess
import sys

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

JOIN = """
import sys, torch, torch.distributed as dist
from trainables.workers.process_group import Rendezvous
meeting = Rendezvous()
meeting.join(sys.argv[1], 1, 2, "cpu", 1)
value = torch.tensor([2.0]); dist.all_reduce(value); print(value.item())
"""


def test_ensure_single_twice_makes_one_group_of_one() -> None:
    done = subprocess.run([sys.executable, "-c", SINGLE], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["1", "1.0", "0", "1"]


def test_rendezvous_two_processes_meet_on_a_port_that_the_system_chose() -> None:
    with subprocess.Popen([sys.executable, "-c", LISTEN], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        address = first.stdout.readline().strip()
        second = subprocess.run(
            [sys.executable, "-c", JOIN, address], capture_output=True, text=True, check=True, timeout=120
        )
        assert float(first.stdout.readline()) == float(second.stdout) == 3.0


def test_process_group_module_imports_no_torch() -> None:
    script = "import sys, trainables.workers.process_group, trainables.workers.worker; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
