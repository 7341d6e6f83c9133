"""Keep less on a device at once where more ran out of memory. The global batch, and so the result, stays what it is.

What is learned is kept per shape of work (`search_spaces.memory_shape`) in the study's folder: replicates and arms that
differ in a learning rate start with what fits. A smaller micro-batch changes rounding only; each is recorded in the
provenance of its stage.
"""

from __future__ import annotations

from search_spaces.memory_shape import evaluation_shape, stage_shape
from search_spaces.resources import micro_batch
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import SmallerBatch
from trainables.storage.store import Store
from trainables.task import StageTask, TrialTask

MOST_PARTS = 128
"""As many as the largest batch of questions can have."""


def with_smaller_batches(task: TrialTask, store: Store) -> TrialTask:
    """Return the task with micro-batches that fit, as far as earlier attempts at work of its shapes have told."""
    evaluation = _known(task, _evaluation_shape(task), store)
    return task.model_copy(
        update={
            "stages": tuple(_fitting(task, index, store) for index in range(len(task.stages))),
            "question_parts": evaluation.parts if evaluation else 1,
        }
    )


def use_smaller_batches(task: TrialTask, node: str, store: Store) -> str | None:
    """Halve what a node of the work graph keeps on a device at once, for all further attempts at work of its shape.

    Args:
        task: whose attempt has run out of memory, as that attempt was given it.
        node: that was being worked on.
        store: where the study keeps what it learns.

    Returns:
        What changes, in one line; None if nothing smaller is left, so that a further attempt would fail alike.
    """
    for index, stage in enumerate(task.stages):
        if stage.node == node:
            return _halve_stage(task, index, store)
    return _halve_evaluation(task, store) if node == task.evaluation_node else None


def halved(micro: int, share: int) -> int:
    """Return the largest micro-batch of at most half the size that divides a worker's share of the global batch.

    Args:
        micro: the micro-batch, larger than 1.
        share: records per worker and optimizer step.
    """
    return max(size for size in range(1, micro // 2 + 1) if share % size == 0)


def memory_note(task: TrialTask, node: str) -> str | None:
    """Say with which batch a node of the trial ran, and what the plan expects it to need; None of other nodes."""
    if node == task.evaluation_node:
        parts = task.question_parts
        return "in the evaluation" + (f", each batch of questions in {parts} parts" if parts > 1 else "")
    for spec, order in zip(task.trial.stages, task.stages, strict=True):
        if order.node == node:
            micro = micro_batch(spec, order.resources)
            expected = dict(order.expected_memory).get(micro)
            beside = "" if expected is None else f", for which the plan expects {expected / 1e9:.1f} GB of each worker"
            pass_ = (
                f"at micro-batch {micro}" if spec.packing is None else f"with rows of {spec.packing.tokens:,} positions"
            )
            return f"in stage {spec.name} {pass_}{beside}"
    return None


def _halve_stage(task: TrialTask, index: int, store: Store) -> str | None:
    spec, order = task.trial.stages[index], task.stages[index]
    share, before = spec.global_batch // order.resources.workers, micro_batch(spec, order.resources)
    if before == 1:
        return None
    after = halved(before, share)
    shape = _stage_shape(task, index)
    known = _known(task, shape, store)
    if known is not None and known.micro_batch is not None:
        after = min(after, known.micro_batch)
    write(store, layout.smaller_batch(task.study, shape), SmallerBatch(of=f"stage {spec.name}", micro_batch=after))
    return (
        f"stage {spec.name}: micro-batch {after} instead of {before}, accumulated over {share // after} instead of"
        f" {share // before} passes (global batch {spec.global_batch})"
    )


def _halve_evaluation(task: TrialTask, store: Store) -> str | None:
    if task.question_parts >= MOST_PARTS:
        return None
    shape = _evaluation_shape(task)
    known = _known(task, shape, store)
    parts = max(2 * task.question_parts, known.parts if known else 1)
    write(store, layout.smaller_batch(task.study, shape), SmallerBatch(of="evaluation", parts=parts))
    return f"evaluation: each batch of questions is answered in {parts} parts instead of {task.question_parts}"


def _fitting(task: TrialTask, index: int, store: Store) -> StageTask:
    """Return a stage with a micro-batch that is known to fit, or as it is if nothing is known or it is smaller."""
    spec, order = task.trial.stages[index], task.stages[index]
    known = _known(task, _stage_shape(task, index), store)
    if known is None or known.micro_batch is None or known.micro_batch >= micro_batch(spec, order.resources):
        return order
    resources = order.resources.model_copy(update={"micro_batch": known.micro_batch})
    return order.model_copy(update={"resources": resources})


def _known(task: TrialTask, shape: str, store: Store) -> SmallerBatch | None:
    return read_or_redo(store, layout.smaller_batch(task.study, shape), SmallerBatch)


def _stage_shape(task: TrialTask, index: int) -> str:
    spec = task.trial.stages[index]
    cached = task.has_features_of(part.source for part in spec.data.parts)
    return stage_shape(task.trial, spec, task.stages[index].resources, cached)


def _evaluation_shape(task: TrialTask) -> str:
    return evaluation_shape(task.trial, task.stages[0].resources)
