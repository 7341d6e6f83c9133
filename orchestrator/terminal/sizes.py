"""Show what stages take in a terminal: one row for all stages that take the same."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import RenderableType
from rich.text import Text

from orchestrator.planning.estimates import Assumptions, Estimate, peak_disk
from orchestrator.terminal.tables import table
from search_spaces.plan import Plan
from search_spaces.quantities import gigabytes


def sizes_view(plan: Plan, sizes: Mapping[str, Estimate | None], assumed: Assumptions) -> list[RenderableType]:
    """Show memory by part, what does not fit, and one line of disk, hours and assumptions.

    Args:
        plan: the study's plan.
        sizes: stage -> what it takes; None where that is unknown.
        assumed: what the figures rest on.
    """
    known = [estimate for estimate in sizes.values() if estimate is not None]
    parts: list[RenderableType] = []
    if known:
        counts: dict[tuple[str, ...], int] = {}
        for estimate in known:
            counts[_row(estimate)] = counts.get(_row(estimate), 0) + 1
        rows = [(str(count), *row) for row, count in counts.items()]
        columns = ("stages", "name", "trained", "of", "ZeRO", "offload", "batch", "weights", "encoder", "gradients",
                   "optimizer", "activations", "workspace", "GB each", "host", "TFLOP")  # fmt: skip
        right = (0, 2, 3, 4, *range(7, len(columns)))
        parts.append(
            table("Memory of a worker in GB, and TFLOP of a record", columns, rows, right=right, total=len(rows))
        )
    notes = dict.fromkeys(f"{estimate.stage.name}: {estimate.note}" for estimate in known if estimate.note)
    parts.extend(Text(f"note: {note}", "yellow") for note in notes)
    parts.append(Text(_summary(plan, sizes, assumed), "dim"))
    return parts


def _row(estimate: Estimate) -> tuple[str, ...]:
    memory = estimate.memory
    return (
        estimate.stage.name,
        f"{estimate.trained / 1e6:,.1f}M",
        f"{estimate.total / 1e6:,.1f}M",
        str(estimate.resources.zero),
        estimate.resources.offload,
        f"{estimate.micro_batch}x{estimate.accumulation}x{estimate.resources.workers}",
        *map(gigabytes, (memory.weights, memory.encoder, memory.gradients, memory.optimizer)),
        *map(gigabytes, (memory.activations, memory.workspace)),
        gigabytes(memory.total) + ("!" if estimate.fits is False else ""),
        gigabytes(memory.host),
        f"{estimate.operations.model / 1e12:,.2f}",
    )


def _summary(plan: Plan, sizes: Mapping[str, Estimate | None], assumed: Assumptions) -> str:
    unknown = sum(estimate is None for estimate in sizes.values())
    limit = "" if plan.disk_budget_bytes is None else f" Disk budget: {plan.disk_budget_bytes / 1e9:,g} GB."
    if unknown == len(sizes):
        return f"Memory and cost are unknown: the catalogue has no shape of these models.{limit}"
    disk = peak_disk(plan, sizes)
    sentences = ["" if disk is None else f"Disk at most {gigabytes(disk)} GB with one trial at a time.{limit} "]
    hours = [
        estimate.gpu_hours for estimate in sizes.values() if estimate is not None and estimate.gpu_hours is not None
    ]
    if hours:
        sentences.append(
            f"{sum(hours):,.0f} GPU-hours, if {assumed.gpu} reaches {assumed.mfu:.0%} of its peak and a"
            f" text has {assumed.text_tokens} tokens (--gpu, --mfu, --text-tokens). "
        )
    sentences.append("Memory is for the longest text. batch = micro x accumulation x workers.")
    if unknown:
        sentences.append(f" {unknown} stages are of unknown size: the catalogue has no shape of their models.")
    return "".join(sentences)
