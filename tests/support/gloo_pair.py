"""Tasks in two real processes that meet on gloo, without Ray, and that find all libraries loaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

from tests.support.clean_process import CLEAN
from tests.support.tiny_trials import losses, run, run_until
from trainables.task import Context, TrialTask
from trainables.workers.process_group import Rendezvous


def run_on_two(
    tasks: list[TrialTask], before: Callable[[], None] | None = None, stop_at: int | None = None
) -> list[list[float]]:
    """Run tasks on two processes and list the losses that rank 0 saw; both must see the same ones equally often.

    Args:
        tasks: run one after another.
        before: is called first in both processes.
        stop_at: step of the stage `finetune` before whose report each task is stopped; None to run them to their end.
    """
    addresses, answers = CLEAN.Queue(), CLEAN.Queue()
    processes = [
        CLEAN.Process(target=rank_of_two, args=(tasks, rank, addresses, answers, before, stop_at)) for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    seen = []
    for _ in tasks:
        told = sorted(answers.get(timeout=300) for _ in processes)
        assert told[0][1:] == told[1][1:]
        seen.append(list(told[0][1]))
    for process in processes:
        process.join(timeout=60)
    return seen


def answers_of_two(work: Callable[..., object], *arguments: object) -> list[Any]:
    """Call a function in two processes that have met on gloo; returns the answers of rank 0 and of rank 1.

    Args:
        work: is called with the rank and the arguments.
        arguments: of the function.
    """
    addresses, answers = CLEAN.Queue(), CLEAN.Queue()
    ranks = [
        CLEAN.Process(target=_answer, args=(work, arguments, rank, addresses, answers), daemon=True) for rank in (0, 1)
    ]
    for process in ranks:
        process.start()
    told = dict(answers.get(timeout=120) for _ in ranks)
    for process in ranks:
        process.join(timeout=60)
    return [told[0], told[1]]


def _answer(
    work: Callable[..., object], arguments: tuple[object, ...], rank: int, addresses: Any, answers: Any
) -> None:
    _meet(rank, addresses)
    answers.put((rank, work(rank, *arguments)))
    torch.distributed.destroy_process_group()


def _meet(rank: int, addresses: Any) -> None:
    """Join the group of two processes."""
    meeting = Rendezvous()
    if rank == 0:
        address = meeting.listen("127.0.0.1", 2)
        addresses.put(address)
    else:
        address = addresses.get(timeout=60)
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), DS_ACCELERATOR="cpu")
    meeting.join(address, rank, 2, "cpu", rank)


def rank_of_two(
    tasks: list[TrialTask],
    rank: int,
    addresses: Any,
    answers: Any,
    before: Callable[[], None] | None = None,
    stop_at: int | None = None,
) -> None:
    """Run the tasks as one of two ranks."""
    if before is not None:
        before()
    torch.set_num_threads(1)
    _meet(rank, addresses)
    for task in tasks:
        context = Context(rank=rank, world=2, local_rank=rank)
        events = run(task, context) if stop_at is None else run_until(task, stop_at, context)
        answers.put((rank, losses(events), len(events)))
        torch.distributed.barrier()
    torch.distributed.destroy_process_group()
