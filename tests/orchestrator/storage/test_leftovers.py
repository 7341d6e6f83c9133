"""What real kills of a worker leave is known: the next run ends as an undisturbed one, and nothing is left after it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.storage.collect import Selection, find_freeable, free
from tests.support.clean_process import exit_code, started
from tests.support.tiny_trials import make_task, run
from trainables.storage import layout
from trainables.storage.file_classes import FileClass, file_class
from trainables.storage.inventory import take_inventory
from trainables.storage.record_files import read
from trainables.storage.records import StageResult
from trainables.storage.store import LocalStore
from trainables.task import TrialTask

OPERATIONS = ("replace", "rename", "unlink", "rmdir")
"""What makes things final, or removes them: a kill just before each leaves something else."""
AT = (0.3, 0.7, 0.85)
"""Shares of a run's operations after which it is killed."""
KILLED = 137
LEFT: tuple[FileClass, ...] = ("asides", "checkpoints", "progress", "answers", "leases", "scratch", "preparing")


def _run_to_operation(root: Path, task: TrialTask, number: int, count: Path) -> None:
    """Run a trial, and end this process, without another word, at its so-manieth operation below the storage.

    Args:
        root: of the storage.
        task: of the trial.
        number: of the operation, from 1; 0 for none.
        count: file that gets the number of operations of a process that ends by itself.
    """
    counted = [0]

    def counting(operation: Callable[..., Any]) -> Callable[..., Any]:
        def do(path: Any, *others: Any, **options: Any) -> Any:
            # what is removed by names within an open folder is below the storage as well
            if "dir_fd" in options or str(path).startswith(str(root)):
                counted[0] += 1
                if counted[0] == number:
                    os._exit(KILLED)
            return operation(path, *others, **options)

        return do

    for name in OPERATIONS:
        setattr(os, name, counting(getattr(os, name)))
    run(task)
    count.write_text(str(counted[0]))


def _killed_at(root: Path, task: TrialTask, number: int, count: Path) -> int:
    return exit_code(started(_run_to_operation, root, task, number, count))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage on which data are prepared and nothing is trained."""
    root = tmp_path_factory.mktemp("prepared")
    make_task(root, checkpoint_every_steps=1)
    return root


def _digests(store: LocalStore, task: TrialTask) -> list[object]:
    """Read the digests of all weights of a trial, and its scores."""
    stages = [read(store, layout.stage_result(stage.key), StageResult) for stage in task.stages]
    scores = {name: store.get(name) for name in store.list("evaluations") if name.endswith(".parquet")}
    return [[stage.modules for stage in stages if stage is not None], scores]


def test_after_kills_at_any_operation_a_run_and_a_collection_leave_nothing(prepared: Path, tmp_path: Path) -> None:
    seen: set[FileClass] = set()
    undisturbed: list[object] = []
    count = tmp_path / "count"
    for share in (0, *AT):
        root = tmp_path / str(share)
        shutil.copytree(prepared, root)
        store, task = LocalStore(root), make_task(root, checkpoint_every_steps=1)
        if share:
            assert _killed_at(root, task, int(share * int(count.read_text())), tmp_path / "no count") == KILLED
            seen |= {file_class(entry.name) for entry in store.walk("")}
        assert _killed_at(root, task, 0, count if not share else tmp_path / "no count") == 0
        selection = Selection(grace_s=0.0)
        again = lambda: find_freeable(store, store.root, selection)[1]  # noqa: B023, E731
        assert [freed.kept for freed in free(again(), store, 0.0, again) if freed.kept is not None] == []
        amounts = take_inventory(store).amounts
        assert {kind: amounts[kind].files for kind in LEFT if amounts[kind].files} == {}, share
        undisturbed = undisturbed or _digests(store, task)
        assert _digests(store, task) == undisturbed
    assert {"asides", "checkpoints"} <= seen
