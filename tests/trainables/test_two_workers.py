"""Two real processes on gloo, without Ray: hardware shape changes rounding only."""

from __future__ import annotations

import multiprocessing as mp
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_trials import SGD, losses, make_task, run, source, stage

from search_spaces.spec import MixPart, MixSpec
from trainables import layout
from trainables.process_group import Rendezvous
from trainables.task import Context, TrialTask

MIXED = MixSpec(name="mixed", parts=(MixPart(source=source(tags="color,text-only,shape")),))


def _rank(task: TrialTask, rank: int, addresses: Any, answers: Any) -> None:
    torch.set_num_threads(1)
    meeting = Rendezvous()
    if rank == 0:
        address = meeting.listen("127.0.0.1", 2)
        addresses.put(address)
    else:
        address = addresses.get(timeout=60)

    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), DS_ACCELERATOR="cpu")
    meeting.join(address, rank, 2, "cpu", rank)
    events = run(task, Context(rank=rank, world=2, local_rank=rank))
    answers.put((rank, losses(events), len(events)))
    torch.distributed.destroy_process_group()


def _run_on_two(task: TrialTask) -> list[float]:
    """Losses that rank 0 saw; both ranks must yield equally often and see the same losses."""
    spawn = mp.get_context("spawn")
    addresses, answers = spawn.Queue(), spawn.Queue()
    processes = [spawn.Process(target=_rank, args=(task, rank, addresses, answers)) for rank in (0, 1)]
    for process in processes:
        process.start()
    told = sorted(answers.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(timeout=60)
    assert told[0][1:] == told[1][1:]
    return list(told[0][1])


def _weights(task: TrialTask) -> dict[str, torch.Tensor]:
    folder = Path(task.storage) / layout.stage_folder(task.stages[-1].key)
    return {
        f"{name}.{key}": t
        for name in ("projector", "language")
        for key, t in load_file(folder / f"{name}.safetensors").items()
    }


@pytest.mark.parametrize("zero", [0, 2, 3])
def test_two_workers_train_to_the_losses_and_weights_of_one(zero: int, tmp_path: Path) -> None:
    stages = (stage(optimizer=SGD, data=MIXED, max_steps=8),)
    alone = make_task(tmp_path / "one", stages=stages)
    expected = losses(run(alone))
    both = make_task(tmp_path / "two", stages=stages, workers=2, zero=zero, micro_batch=2)
    torch.testing.assert_close(torch.tensor(_run_on_two(both)), torch.tensor(expected), rtol=1e-5, atol=0)
    one, two = _weights(alone), _weights(both)
    assert max(float((one[key] - two[key]).abs().max()) for key in one) <= 1e-6
