"""Show what stages take in a terminal: one row for all stages that take the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rich.console import RenderableType
from rich.text import Text

from cluster.memory import Memory
from orchestrator.analysis.number_text import listed
from orchestrator.planning.estimates import Assumptions, Estimate, peak_disk, used_gpus
from orchestrator.planning.evaluation_estimates import EvaluationEstimate
from orchestrator.terminal.tables import table
from search_spaces.plan import Plan
from search_spaces.quantities import bytes_text, large_unit

_WORK = ("name", "times", "trained", "of", "ZeRO", "offload", "batch", "TFLOP", "padding")
_MEMORY = ("name", "weights", "encoder", "grads", "optim", "activ", "work", "each", "host")
"""Abbreviated, so that the table fits into 80 columns."""


def sizes_view(
    plan: Plan,
    sizes: Mapping[str, Estimate | None],
    evaluations: Mapping[str, EvaluationEstimate | None],
    assumed: Assumptions,
) -> list[RenderableType]:
    """Show memory by part, what does not fit, and one line of disk, hours and assumptions.

    Args:
        plan: the study's plan.
        sizes: stage -> what it takes; None where that is unknown.
        evaluations: arm -> what its evaluation takes; None where that is unknown.
        assumed: what the figures rest on.
    """
    known = [estimate for estimate in sizes.values() if estimate is not None]
    parts: list[RenderableType] = []
    if known:
        evaluated = [evaluation for evaluation in evaluations.values() if evaluation is not None]
        work = Counter(map(_work_row, known)) + Counter(map(_evaluated_row, evaluated))
        rows = [(*row[:1], str(count), *row[1:]) for row, count in work.items()]
        parts.append(table("Models, and TFLOP of a record", _WORK, rows, right=(1, 2, 3, 4, 7, 8), total=len(rows)))
        used = [*((each.stage.name, each.memory, each.fits) for each in known),
                *(("evaluation", each.memory, each.fits) for each in evaluated)]  # fmt: skip
        unit, unit_bytes = large_unit(max(memory.total for _, memory, _ in used))
        unlike = list(dict.fromkeys(_memory_row(*each, unit_bytes) for each in used))
        columns = tuple(f"{unit} each" if name == "each" else name for name in _MEMORY)
        right = tuple(range(1, len(columns)))
        parts.append(table(f"Memory of a worker in {unit}", columns, unlike, right=right, total=len(unlike)))
    notes = dict.fromkeys(f"{estimate.stage.name}: {estimate.note}" for estimate in known if estimate.note)
    notes |= dict.fromkeys(f"evaluation: {each.note}" for each in evaluations.values() if each and each.note)
    parts.extend(Text(f"note: {note}", "yellow") for note in notes)
    parts.append(Text(_summary(plan, sizes, assumed), "dim"))
    return parts


def _work_row(estimate: Estimate) -> tuple[str, ...]:
    return (
        estimate.stage.name,
        f"{estimate.trained / 1e6:,.1f}M",
        f"{estimate.total / 1e6:,.1f}M",
        str(estimate.resources.zero),
        estimate.resources.offload,
        f"{estimate.micro_batch}x{estimate.accumulation}x{estimate.resources.workers}",
        f"{estimate.operations.model / 1e12:,.2f}",
        f"{estimate.padding:.2f}",
    )


def _evaluated_row(estimate: EvaluationEstimate) -> tuple[str, ...]:
    size = f"{estimate.parameters / 1e6:,.1f}M"
    return ("evaluation", "-", size, "-", "-", f"{estimate.positions:,} pos.", "-", "-")


def _memory_row(name: str, memory: Memory, fits: bool | None, unit_bytes: float) -> tuple[str, ...]:
    parts = (memory.weights, memory.encoder, memory.gradients, memory.optimizer, memory.activations, memory.workspace)
    *texts, total, host = (f"{size / unit_bytes:,.1f}" for size in (*parts, memory.total, memory.host))
    return name, *texts, total + ("!" if fits is False else ""), host


def _summary(plan: Plan, sizes: Mapping[str, Estimate | None], assumed: Assumptions) -> str:
    unknown = sum(estimate is None for estimate in sizes.values())
    limit = "" if plan.disk_budget_bytes is None else f" Disk budget: {plan.disk_budget_bytes / 1e9:,g} GB."
    if unknown == len(sizes):
        return f"Memory and cost are unknown: the catalogue has no shape of these models.{limit}"
    disk = peak_disk(plan, sizes)
    sentences = ["" if disk is None else f"Disk at most {bytes_text(disk)} with one trial at a time.{limit} "]
    hours = [
        estimate.gpu_hours for estimate in sizes.values() if estimate is not None and estimate.gpu_hours is not None
    ]
    if hours:
        reached = listed(f"{each.gpu} reaches {each.reached:.0%} of its peak" for each in used_gpus(plan, assumed))
        sentences.append(f"{sum(hours):,.0f} GPU-hours, if {reached}{_lengths(sizes, assumed)} ")
    sentences.append(
        "Memory is for the longest text. batch = micro x accumulation x workers; of evaluation the most positions."
    )
    if unknown:
        sentences.append(f" {unknown} stages are of unknown size: the catalogue has no shape of their models.")
    return "".join(sentences)


def _lengths(sizes: Mapping[str, Estimate | None], assumed: Assumptions) -> str:
    """End the sentence of hours with what is taken for the lengths of texts, and where that is from."""
    known = [estimate for estimate in sizes.values() if estimate is not None and estimate.gpu_hours is not None]
    measured = sorted({estimate.text_tokens for estimate in known if estimate.is_measured})
    if not measured:
        return (
            f" and a text has {assumed.text_tokens} tokens (--gpu, --mfu, --text-tokens); padding, at assumed lengths,"
            " is in them."
        )
    tokens = f"{measured[0]:,}" if len(measured) == 1 else f"{measured[0]:,} to {measured[-1]:,}"
    is_assumed = any(not estimate.is_measured for estimate in known)
    elsewhere = f", and where it has not, {assumed.text_tokens:,} (assumed)" if is_assumed else ""
    return (
        f" and a text has {tokens} tokens (--gpu, --mfu), as `ablate data stats` has measured{elsewhere}; padding, at"
        " these lengths, is in them."
    )
