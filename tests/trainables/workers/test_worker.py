"""Claims about trainables/workers/worker.py: one worker's side of a group, in this process and without torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search_spaces.outcomes import NodeDone, Progress, TrialDone, UnitDone
from search_spaces.worker_contract import Advanced, Failed, RankInfo
from trainables.storage import layout
from trainables.task import Context, TrialTask
from trainables.workers.process_group import FailedPeerError
from trainables.workers.worker import Worker

closed: list[str] = []


def counting_loop(task: TrialTask, context: Context) -> Iterator[Progress]:
    """Three units, the end of a node, two units, the end of another, the end."""
    print(f"loop of {task.id}")
    os.write(2, b"written by a library\n")
    try:
        for node, units in (("n1", 3), ("n2", 2)):
            for step in range(units):
                yield UnitDone(node, "count", step + 1, units)
            yield NodeDone(node)
        yield TrialDone()
    finally:
        closed.append(task.id)


def breaking_loop(task: TrialTask, context: Context) -> Iterator[Progress]:
    yield UnitDone("n1", "count", 1, 9)
    if task.id == "memory":
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    if task.id == "told":
        raise FailedPeerError("rank 1 has failed: OSError: [Errno 5] Input/output error")
    raise ValueError(f"record 17 of {task.id} is broken")


def ending_loop(task: TrialTask, context: Context) -> Iterator[Progress]:
    yield UnitDone("n1", "count", 1, 9)


def worker(loop: Any = counting_loop, rank: int = 0) -> Worker:
    rank_info = RankInfo(rank=rank, world=2, local_rank=rank, device="cpu", threads=1, host="127.0.0.1")
    return Worker(rank_info, loop=f"{__name__}:{loop.__name__}", joins=False)


def task(tmp_path: Path, trial: str = "t1") -> TrialTask:
    return TrialTask.model_construct(study="fake", id=trial, storage=str(tmp_path))


def done(answer: Advanced | Failed) -> tuple[int, Progress]:
    """Units and progress of an answer that must not be a failure."""
    assert isinstance(answer, Advanced)
    return answer.units, answer.progress


def failed(answer: Advanced | Failed) -> Failed:
    assert isinstance(answer, Failed)
    return answer


def log(tmp_path: Path, trial: str = "t1", rank: int = 0) -> str:
    return (tmp_path / layout.worker_log("fake", trial, rank)).read_text()


@pytest.fixture(autouse=True)
def _nothing_closed() -> None:
    closed.clear()


def test_advance_counts_units_but_never_beyond_the_end_of_a_node(tmp_path: Path) -> None:
    member = worker()
    member.open(task(tmp_path))
    first, second, third = member.advance(2), member.advance(10), member.advance(10)
    assert done(first) == (2, UnitDone("n1", "count", 2, 3))
    assert done(second) == (2, NodeDone("n1"))
    assert done(third) == (3, NodeDone("n2"))
    assert done(member.advance(10)) == (1, TrialDone())


def test_advance_error_in_the_loop_is_an_answer_with_its_traceback_in_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    member = worker(breaking_loop, rank=1)
    with capfd.disabled():  # pytest's own stdout is no file descriptor that could be redirected
        member.open(task(tmp_path))
        failure = failed(member.advance(5))
    assert (failure.kind, failure.message) == ("error", "ValueError: record 17 of t1 is broken")
    assert failure.rank == 1
    assert "breaking_loop" in failure.traceback
    assert "record 17 of t1 is broken" in log(tmp_path, rank=1)


def test_advance_out_of_memory_is_told_from_an_error(tmp_path: Path) -> None:
    member = worker(breaking_loop)
    member.open(task(tmp_path, "memory"))
    assert failed(member.advance(5)).kind == "memory"


@pytest.mark.parametrize(("trial", "is_consequence"), [("t1", False), ("told", True)])
def test_advance_a_failure_of_another_rank_is_told_from_an_own_one(
    trial: str, is_consequence: bool, tmp_path: Path
) -> None:
    member = worker(breaking_loop)
    member.open(task(tmp_path, trial))
    assert failed(member.advance(5)).is_consequence == is_consequence


def test_advance_loop_that_stops_without_an_end_is_a_failure(tmp_path: Path) -> None:
    member = worker(ending_loop)
    member.open(task(tmp_path))
    assert "without saying" in failed(member.advance(5)).message


def test_advance_after_a_failure_the_next_trial_runs_in_the_same_worker(tmp_path: Path) -> None:
    member = worker(breaking_loop)
    member.open(task(tmp_path))
    assert failed(member.advance(5))
    member.open(task(tmp_path, "t2"))
    assert done(member.advance(1)) == (1, UnitDone("n1", "count", 1, 9))


def test_open_trial_stopped_in_the_middle_is_closed_first(tmp_path: Path) -> None:
    member = worker()
    member.open(task(tmp_path, "t1"))
    member.advance(1)
    member.open(task(tmp_path, "t2"))
    assert closed == ["t1"]
    member.close()
    assert closed == ["t1"]  # the second has not begun: it has nothing to clean up


def test_log_has_what_python_and_libraries_write_while_the_trial_is_open(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    member = worker()
    with capfd.disabled():
        member.open(task(tmp_path))
        member.advance(1)
        print("between two steps")
        while done(member.advance(10))[1] != TrialDone():
            pass
    os.write(2, b"after the end")
    text = log(tmp_path)
    assert text.startswith("=== ")
    assert "t1 rank 0 of 2" in text.splitlines()[0]
    assert "loop of t1\n" in text
    assert "written by a library\n" in text
    assert "between two steps\n" in text
    assert "after the end" not in text
    assert capfd.readouterr().err == "after the end"


def test_log_of_a_second_attempt_is_appended(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        member = worker()
        with capfd.disabled():
            member.open(task(tmp_path))
            member.close()
    assert log(tmp_path).count("=== ") == 2
