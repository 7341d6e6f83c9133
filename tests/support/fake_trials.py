"""Trials without torch: a loop that writes files, and the tasks, nodes and work that go with it.

What a fake trial does is told by its task's `arm`, a JSON object: `unit_s` (seconds per step), `gate` (a file below the
storage root that must exist before a step ends), `fail_at` (a node at which it raises) and `raises` (what), `dies_at`
(a node at which its process kills itself) and `dies_until` (the last attempt that does).
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.running.tasks import resource_request
from orchestrator.running.work import Work
from search_spaces.outcomes import NodeDone, Progress, TrialDone, UnitDone
from search_spaces.plan import Node
from search_spaces.resource_spec import ResourceSpec
from tests.support.small_records import stage_result, trial_result
from tests.support.tiny_specs import stage, trial_spec
from trainables.needed_nodes import needed_nodes
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.store import Store
from trainables.task import Context, StageTask, TrialTask

STUDY = "fake"
LOOP = "tests.support.fake_trials:loop"


def loop(task: TrialTask, context: Context) -> Iterator[Progress]:
    """Step through the stages that are not done; rank 0 appends who produced what to `produced`."""
    behaviour, store = json.loads(task.arm), context.store(task)
    print(f"open {task.id}", flush=True)
    todo = [stage for stage in task.stages if not store.exists(layout.stage_result(stage.key))]
    try:
        for stage in todo:
            for step in range(stage.steps):
                _unit(behaviour, stage, Path(task.storage), task.attempt)
                yield UnitDone(stage.node, stage.node, step + 1, stage.steps, loss=0.5)
            if context.rank == 0:
                _append(Path(task.storage), "produced", f"{stage.node} {task.id} {os.getpid()} {time.time()}")
                write(store, layout.stage_result(stage.key), stage_result(stage.key))
            yield NodeDone(stage.node)
        if context.rank == 0:
            write(store, layout.trial_result(task.study, task.id), trial_result(task.id))
        yield TrialDone()
    finally:
        _append(Path(task.storage), "closed", f"{task.id} {context.rank}")


ERRORS: Mapping[str, Callable[[str], Exception]] = {
    "memory": MemoryError,
    "error": ValueError,
    "full": lambda text: OSError(errno.ENOSPC, text),
}


def _unit(behaviour: Mapping[str, Any], stage: StageTask, storage: Path, attempt: int) -> None:
    if behaviour.get("fail_at") == stage.node and not (storage / "healed").exists():
        raise ERRORS[behaviour.get("raises", "error")](f"broken at {stage.node}")
    _append(storage, "pids", f"{stage.node} {os.getpid()}")
    if behaviour.get("dies_at") == stage.node and attempt <= behaviour.get("dies_until", attempt):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(behaviour.get("unit_s", 0.01))
    while "gate" in behaviour and not (storage / behaviour["gate"]).exists():
        time.sleep(0.02)


def gloo_loop(task: TrialTask, context: Context) -> Iterator[Progress]:
    """Reduce once per step over a real process group; rank 0 appends the sums to `sums`."""
    import torch
    import torch.distributed as dist

    sums = []
    for step in range(task.stages[0].steps):
        value = torch.tensor([float(step + context.rank)])
        dist.all_reduce(value)
        sums.append(value.item())
        yield UnitDone(task.stages[0].node, "sum", step + 1, task.stages[0].steps)
    if context.rank == 0:
        _append(Path(task.storage), "sums", f"{task.id} {sums} {dist.get_world_size()} {os.environ['RANK']}")
        write(context.store(task), layout.trial_result(task.study, task.id), trial_result(task.id))
    yield TrialDone()


def hang_in_c() -> None:
    """Wait for ever in C, with the interpreter's lock: no Python code of this process runs any more."""
    reading, _ = os.pipe()
    ctypes.PyDLL(None).read(reading, ctypes.create_string_buffer(1), 1)


def _append(storage: Path, name: str, line: str) -> None:
    with (storage / name).open("a") as file:
        file.write(line + "\n")


def lines(storage: Path, name: str) -> list[list[str]]:
    """Read what the loops have appended so far, each line split into words."""
    path = storage / name
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


class Fakes:
    """Trials over named stages: ``{"a": ["s1", "s2"], "b": ["s1", "s3"]}``, in plan order."""

    def __init__(self, storage: Path, paths: Mapping[str, Sequence[str]], **defaults: Any):
        self.storage, self.paths, self.defaults = storage, paths, defaults
        self.behaviours: dict[str, dict[str, Any]] = {trial: {} for trial in paths}
        self.resources: dict[str, ResourceSpec] = {}
        self.steps: dict[str, int] = {}
        """Trial -> steps of each of its stages, where they are not 3."""

    def resource(self, trial: str) -> ResourceSpec:
        return self.resources.get(trial, ResourceSpec())

    def task(self, trial: str) -> TrialTask:
        stages = [
            StageTask(node=node, key=f"key-{node}", steps=self.steps.get(trial, 3), resources=self.resource(trial))
            for node in self.paths[trial]
        ]
        return TrialTask(
            study=STUDY,
            id=trial,
            arm=json.dumps({**self.defaults, **self.behaviours[trial]}),
            trial=trial_spec(stages=tuple(stage(node) for node in self.paths[trial])),
            features=(),
            stages=tuple(stages),
            benchmarks=(),
            evaluation_node=f"evaluate-{trial}",
            digests={},
            storage=str(self.storage),
            data=str(self.storage),
        )

    def needed(self, store: Store) -> Callable[[str], Collection[str]]:
        """Make what tells the nodes that a trial's workers must produce, by what this storage holds."""
        return lambda trial: needed_nodes(self.task(trial), store, "shape")

    @property
    def work(self) -> list[Work]:
        found = []
        for trial, path in self.paths.items():
            request = resource_request(self.resource(trial))
            costs, facts = (
                (*(1.0 for _ in path), 0.1),
                frozenset({f"the arm {trial.rpartition('-s')[0]}", str(request)}),
            )
            found.append(Work(trial, (*path, f"evaluate-{trial}"), request, costs, facts=facts))
        return found

    @property
    def nodes(self) -> dict[str, Node]:
        found = {}
        for trial, path in self.paths.items():
            for node in path:
                sharing = tuple(other for other, stages in self.paths.items() if node in stages)
                found[node] = Node(node, "stage", f"key-{node}", node, 3, None, sharing)
            found[f"evaluate-{trial}"] = Node(f"evaluate-{trial}", "evaluation", None, "evaluate", None, None, (trial,))
        return found
