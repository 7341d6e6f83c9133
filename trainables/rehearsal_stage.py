"""Rehearse a stage: two optimizer steps with the real engine, and a step checkpoint that is saved and read back."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from search_spaces.outcomes import UnitDone
from search_spaces.resources import checkpoint_form, micro_batch
from search_spaces.spec import StageSpec
from trainables.peak_memory import PeakMemory
from trainables.rehearsal_data import RehearsalData
from trainables.storage import layout
from trainables.storage.record_files import read, write
from trainables.storage.records import CheckpointManifest, StageRehearsal, StageResult
from trainables.storage.store import Store
from trainables.task import Context, StageTask, TrialTask
from trainables.training.checkpoint_writers import WRITERS
from trainables.training.engine import Engine
from trainables.training.stage_engine import hand_on, open_stage
from trainables.training.step_checkpoints import StepCheckpoints
from trainables.trial_data import StageData, StepInput
from trainables.workers.process_group import from_rank_0

STEPS = 2
"""Optimizer steps of a rehearsal: the first of the stage, and the one that takes the most memory."""


class CheckpointChangedError(RuntimeError):
    """A step checkpoint was saved and read back, and the state is not what it was."""


@dataclass(frozen=True)
class _Reload:
    """Figures of a checkpoint that was saved and read back equal."""

    size_bytes: int
    save_s: float
    load_s: float


def rehearse_stage(
    task: TrialTask, index: int, earlier: list[StageResult], data: RehearsalData, context: Context, scratch: Store
) -> Generator[UnitDone, None, tuple[StageRehearsal, StageResult]]:
    """Rehearse a stage of a trial, and hand on its weights as the stage would.

    Args:
        task: of the rehearsal.
        index: position of the stage in the trial, from 0.
        earlier: results of the rehearsals of its earlier stages.
        data: of the trial.
        context: rank, world size and device of this worker.
        scratch: storage of checkpoints and weights.

    Yields:
        Progress after each unit of work, on all ranks equally often.

    Returns:
        What it showed on this rank, and a result that names the weights.

    Raises:
        InputError: the device or the resources cannot train the stage.
        CheckpointChangedError: the state that was read back from a checkpoint is another one than was saved.
    """
    stage, order = task.trial.stages[index], task.stages[index]
    from_rank_0(lambda: scratch.remove(layout.stage_folder(order.key)))  # of an attempt that was lost, or had no memory
    memory = PeakMemory(context.device)
    with open_stage(task, index, earlier, data, context, scratch) as opened:
        engine = opened.engine
        inputs = _inputs(opened.data, order.steps, micro_batch(stage, order.resources), data, context)
        checkpoints = StepCheckpoints(scratch, order.key, order.resources, context)
        losses = [_step(engine, inputs[0])]
        yield _progress(stage, order, 1, losses)
        began = time.perf_counter()
        with closing(WRITERS[checkpoint_form(order.resources)](checkpoints, engine, context)) as writer:
            writer.save(1, {"losses": losses[:1]})
            writer.finish()
            writer.end()
        save_s = time.perf_counter() - began
        losses.append(_step(engine, inputs[1]))
        yield _progress(stage, order, 2, losses)
        reload = _reloaded(engine, checkpoints, order.key, scratch, save_s)
        yield _progress(stage, order, 3, losses)
        modules = hand_on(engine, stage, order.key, context, scratch)
    if context.rank == 0:
        is_finite = all(map(math.isfinite, losses))
        result = StageResult(order.key, stage.name, STEPS, modules, None, not is_finite, "", 0.0, 0.0, {}, {})
        write(scratch, layout.stage_result(order.key), result)
    handed_on = from_rank_0(lambda: read(scratch, layout.stage_result(order.key), StageResult))
    assert handed_on is not None, "rank 0 has written it"
    return (
        StageRehearsal(
            name=stage.name,
            micro_batch=micro_batch(stage, order.resources),
            checkpoint_bytes=reload.size_bytes,
            save_seconds=reload.save_s,
            load_seconds=reload.load_s,
            peak_bytes=memory.read(),
            expected_bytes=dict(order.expected_memory).get(micro_batch(stage, order.resources)),
        ),
        handed_on,
    )


def _inputs(data: StageData, steps: int, micro: int, features: RehearsalData, context: Context) -> list[StepInput]:
    """Load the inputs of both optimizer steps, and free the device of what has computed their features."""
    heaviest = data.heaviest(range(min(steps, data.plan.steps_per_epoch)), context.world)
    chosen = (0, heaviest if heaviest else min(1, steps - 1))
    inputs = []
    for step in chosen:
        features.compute_ahead(data, step, context, micro)
        inputs.append(data.step(step, context.rank, context.world, micro))
    features.set_encoder_aside()
    return inputs


def _progress(stage: StageSpec, order: StageTask, unit: int, losses: list[float]) -> UnitDone:
    loss = losses[-1] if math.isfinite(losses[-1]) else None
    return UnitDone(order.node, f"rehearse {stage.name}", unit, STEPS + 1, loss)


def _step(engine: Engine, inputs: StepInput) -> float:
    return engine.step(inputs.batches, inputs.passes, inputs.targets).loss


def _reloaded(engine: Engine, checkpoints: StepCheckpoints, key: str, scratch: Store, save_s: float) -> _Reload:
    """Read the checkpoint back into an engine that has gone on, and compare its state byte by byte. A collective.

    Args:
        engine: that has saved the checkpoint and made a further step.
        checkpoints: of the stage.
        key: of the stage.
        scratch: storage of the checkpoint.
        save_s: seconds that saving has taken.

    Raises:
        CheckpointChangedError: the engine would not save what it has read.
    """
    began = time.perf_counter()
    folder = checkpoints.newest()
    if folder is None:
        problems = "; ".join(checkpoints.passed_over.values()) or "it is not there"
        raise CheckpointChangedError(f"a step checkpoint that was just saved cannot be read: {problems}")
    name = f"{layout.checkpoints(key)}/{folder.name}/{layout.MANIFEST}"
    manifest = from_rank_0(lambda: read(scratch, name, CheckpointManifest))
    assert manifest is not None
    state = engine.load(folder, checkpoints.files)
    load_s = time.perf_counter() - began
    file = engine.checkpoint_file
    if manifest.digests[file] != engine.checkpoint_content(state).digest():
        raise CheckpointChangedError(f"the state in the file {file} of a step checkpoint changed when it was read back")
    return _Reload(sum(manifest.files.values()), save_s, load_s)
