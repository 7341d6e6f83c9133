"""Check training: layouts of micro-batches, the longest texts, ZeRO stages, going on from a checkpoint."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

from measurements.gpu_check.forms import Form
from measurements.gpu_check.part import Figures, Part
from measurements.gpu_check.planned import PlannedTrial, Setting
from measurements.gpu_check.timed_stage import opened_stage, step_inputs, time_stage, train_step
from search_spaces.trained_sizes import trained_parameters
from trainables.storage import layout
from trainables.training.history import Resumed
from trainables.training.host_buffer import HostBuffer
from trainables.training.stage import train_stage


def training_parts(form: Form) -> Iterator[Part]:
    """List the parts, the layout that the others are compared with first."""
    whole, half = form.micro_batches[:2]
    for micro in form.micro_batches:
        yield _timed(f"layout {micro}x{whole // micro}", form.steps, _micro(micro), "resources.padding=keep")
    yield _timed(f"layout {half}x{whole // half} padding dropped", form.steps, _micro(half), _DROP)
    yield _timed(
        f"layout {half}x{whole // half} compiled",
        form.steps,
        _micro(half),
        "resources.padding=keep",
        "resources.compile=true",
    )
    packing = f"recipe.finetune.packing={{tokens: {form.packed_positions}}}"
    yield _timed(f"layout rows of {form.packed_positions}", form.steps, packing)
    yield _timed("longest texts", form.few_steps, "base.data=gpu-check-longest", "resources.padding=keep")
    for zero in form.zero_stages:
        yield _timed(f"zero {zero}", form.few_steps, f"resources.zero={zero}", _micro(half), "resources.padding=keep")
    yield Part("checkpoint", _go_on_from_checkpoint)
    yield Part("checkpoint copy", _copy_checkpoint)


_DROP = "resources.padding=drop"


def _micro(records: int) -> str:
    return f"resources.micro_batch={records}"


def _timed(name: str, steps: int, *overrides: str) -> Part:
    """Make a part that trains the first stage with some changes to the study."""
    return Part(name, lambda setting: time_stage(setting.planned(*overrides), steps))


def _copy_checkpoint(setting: Setting) -> Figures:
    """Copy the state out of the device as a checkpoint in the background does, and digest it while a step is trained.

    The digest must be that of the file which a step would have waited for.
    """
    planned = setting.planned("resources.padding=keep")
    buffer, seconds = HostBuffer(is_pinned=planned.context.device == "cuda"), list[float]()
    with (
        opened_stage(planned) as opened,
        closing(step_inputs(planned, opened, 3)) as inputs,
        ThreadPoolExecutor(max_workers=1) as thread,
    ):
        train_step(opened, next(inputs))  # before it there is no state of an optimizer
        content = opened.engine.checkpoint_content({})
        waited_for = content.digest()
        for _ in range(2):  # the first copy takes the host's memory, too
            began = time.perf_counter()
            copy = buffer.copy(content)
            seconds.append(time.perf_counter() - began)
        digest = thread.submit(copy.digest)
        for batch in inputs:
            train_step(opened, batch)
        copied, changed = digest.result(), content.digest()
    buffer.release()
    return {
        "state_bytes": content.size,
        "first_copy_s": seconds[0],
        "copy_s": seconds[1],
        "digest_waited_for": waited_for,
        "digest_of_copy": copied,
        "digest_after_steps": changed,
    }


class _Step(NamedTuple):
    seconds: float
    loss: float


def _go_on_from_checkpoint(setting: Setting) -> Figures:
    """Stop a stage one step before its end, go on from the checkpoint in its middle, and compare the losses."""
    half = setting.form.few_steps // 2
    planned = setting.planned(
        f"base.max_steps={2 * half}", f"resources.checkpoint_every_steps={half}", "resources.padding=keep"
    )
    first, again, resumed = list[_Step](), list[_Step](), list[Resumed]()
    with closing(_steps(planned, resumed)) as steps:
        first.extend(next(steps) for _ in range(2 * half - 1))
    size_bytes = _checkpoint_bytes(planned)
    began = time.perf_counter()
    with closing(_steps(planned, resumed)) as steps:
        again.append(next(steps))
        resume_s = time.perf_counter() - began
        again.extend(steps)
    usual = statistics.median(step.seconds for number, step in enumerate(first) if number not in (0, half - 1))
    return {
        "resumed_at": resumed[0].step if resumed else None,
        "losses": [step.loss for step in first[half:]],
        "losses_after_resume": [step.loss for step in again[: half - 1]],
        "checkpoint_bytes": size_bytes,
        "bytes_per_trained_parameter": size_bytes / trained_parameters(planned.size, planned.task.trial.stages[0]),
        "step_s": usual,
        "step_with_checkpoint_s": first[half - 1].seconds,
        "build_and_resume_s": resume_s,
    }


def _steps(planned: PlannedTrial, resumed: list[Resumed]) -> Generator[_Step, None, None]:
    """Train the first stage; yields seconds and loss of each step, the time of a checkpoint with the step before."""
    loop = train_stage(planned.task, 0, [], planned.data, planned.context, planned.store, resumed.append)
    began = time.perf_counter()
    for progress, _ in loop:
        yield _Step(time.perf_counter() - began, math.nan if progress.loss is None else progress.loss)
        began = time.perf_counter()


def _checkpoint_bytes(planned: PlannedTrial) -> int:
    folder = planned.store.root / layout.checkpoints(planned.task.stages[0].key)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
