"""Show all of a plan as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.analysis.chosen_questions import chosen_sentences
from orchestrator.planning.estimates import Assumptions, Estimate, estimates
from orchestrator.planning.evaluation_estimates import evaluation_estimates
from orchestrator.planning.lost_work import lost_work_sentence
from orchestrator.planning.plan_json import _first_trials, totals
from orchestrator.terminal.sizes import sizes_view
from orchestrator.terminal.tables import table
from search_spaces.plan import Arm, Node, Plan, PlannedTrial
from search_spaces.quantities import large_unit, number_of
from search_spaces.yaml_source import show


def plan_view(plan: Plan, assumed: Assumptions | None = None) -> RenderableType:
    """Show a plan as tables that fit into 80 columns.

    Args:
        plan: what to show.
        assumed: what memory and cost rest on.
    """
    assumed = assumed or Assumptions()
    sizes = estimates(plan, assumed)
    parts: list[RenderableType] = [_title(plan), _arms(plan), *_arm_notes(plan)]
    parts += [_stages(plan, sizes), *sizes_view(plan, sizes, evaluation_estimates(plan, assumed), assumed)]
    features = [node for node in plan.nodes.values() if node.kind == "features"]
    if features:
        parts.append(_features(features))
    parts.append(_trials(plan))
    if plan.excluded:
        parts.append(
            table("Excluded", ("arm", "reason"), ((exclusion.arm, exclusion.reason) for exclusion in plan.excluded))
        )
    missing = sorted({name for node in plan.nodes.values() for name in node.missing})
    if missing:
        parts.append(Text(f"Keys are not known before preflight has digests of: {', '.join(missing)}", "dim"))
    parts.extend(Text(sentence, "dim") for sentence in chosen_sentences(plan))
    if plan.benchmarks:
        parts.append(Text(f"Blind run: {'on' if plan.blind.sets else 'off'}; {plan.blind.reason}", "dim"))
    if plan.trials:
        parts.append(Text(lost_work_sentence(plan), "dim"))
    parts.extend(Text(f"note: {note}", "yellow") for note in plan.notes)
    return Group(*(line for part in parts for line in (part, Text())))


def summary(plan: Plan) -> str:
    """Write one sentence of counts."""
    sums = totals(plan)
    steps = "steps not known yet" if sums["steps"] is None else f"{sums['steps']:,} steps"
    saved = f"; sharing saves {sums['steps_saved']:,} steps" if sums["steps_saved"] else ""
    shared = sums["stages_unshared"] - sums["stages"]
    if shared and not saved:
        saved = f"; sharing saves {shared} stages"
    counts = {"arm": sums["arms"], "trial": sums["trials"], "stage": sums["stages"], "benchmark": len(plan.benchmarks)}
    return ", ".join([*(number_of(count, noun) for noun, count in counts.items()), steps]) + saved


def _title(plan: Plan) -> Text:
    text = Text(plan.study, "bold")
    text.append(f"  {plan.question}\n" if plan.question else "\n", "not bold")
    text.append(f"{summary(plan)}\ndigest {plan.digest[:12]}", "not bold dim")
    return text


def _arms(plan: Plan) -> Group:
    first = _first_trials(plan)
    return table(
        "Arms",
        ("arm", "difference from the base", "tokens", "width", "workers", "ZeRO"),
        (
            (
                arm.name,
                ", ".join(f"{path}: {show(value)}" for path, value in arm.difference.items()) or "-",
                str(first[arm.name].spec.vision.tokens),
                str(first[arm.name].spec.vision.width),
                str(arm.resources.workers),
                "/".join(str(zero) for zero in dict.fromkeys(_zeros(arm, first[arm.name]))),
            )
            for arm in plan.arms
        ),
        right=(2, 3, 4, 5),
        total=len(plan.arms),
    )


def _arm_notes(plan: Plan) -> list[Text]:
    """Show notes of arms, each once with all arms that have it."""
    arms: dict[str, list[str]] = {}
    for arm in plan.arms:
        if arm.note is not None:
            arms.setdefault(arm.note, []).append(arm.name)
    if not arms:
        return []
    return [Text("\n").join(Text.assemble((", ".join(names), "bold"), f": {note}") for note, names in arms.items())]


def _zeros(arm: Arm, trial: PlannedTrial) -> Iterable[int]:
    return (arm.resources_of(stage.name).zero for stage in trial.spec.stages)


def _stages(plan: Plan, sizes: Mapping[str, Estimate | None]) -> Group:
    nodes = [node for node in plan.nodes.values() if node.kind == "stage"]
    nodes.sort(key=lambda node: -len(node.trials))  # what is shared first
    ids = {node.id for node in nodes}
    unit, unit_bytes = large_unit(max((size.memory.total for size in sizes.values() if size is not None), default=0))
    return table(
        "Stages",
        ("stage", "name", "steps", "after", "trials", unit, "GPU-h"),
        (
            (
                node.id,
                node.name,
                "?" if node.steps is None else f"{'about ' if node.approximate else ''}{node.steps:,}",
                node.after if node.after in ids else "-",
                str(len(node.trials)),
                *_size_cells(sizes[node.id], unit_bytes),
            )
            for node in nodes
        ),
        right=(2, 4, 5, 6),
        total=len(nodes),
    )


def _size_cells(estimate: Estimate | None, unit_bytes: float) -> tuple[str, str]:
    """Write memory of a worker and GPU-hours of a stage."""
    if estimate is None:
        return "unknown", "unknown"
    memory = f"{estimate.memory.total / unit_bytes:,.1f}" + ("!" if estimate.fits is False else "")
    return memory, "-" if estimate.gpu_hours is None else f"{estimate.gpu_hours:,.1f}"


def _features(nodes: list[Node]) -> Group:
    total = sum(node.bytes or 0 for node in nodes)
    return table(
        f"Cached features ({total:,} bytes)",
        ("of", "bytes", "trials"),
        ((node.name, "?" if node.bytes is None else f"{node.bytes:,}", str(len(node.trials))) for node in nodes),
        right=(1, 2),
        total=len(nodes),
    )


def _trials(plan: Plan) -> Group:
    return table(
        "Trials",
        ("trial", "seed", "stages"),
        (
            (trial.id, str(trial.seed), " > ".join(node.name for node in trial.stage_nodes(plan)))
            for trial in plan.trials
        ),
        right=(1,),
        total=len(plan.trials),
    )
