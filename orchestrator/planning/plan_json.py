"""Turn a plan into plain JSON values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, TypedDict

from orchestrator.analysis.what_varies import what_varies
from orchestrator.planning.estimates import Assumptions, Estimate, estimate_json, estimates, peak_disk
from orchestrator.planning.evaluation_estimates import evaluation_estimates, evaluation_json
from orchestrator.planning.lost_work import most_work_lost
from orchestrator.planning.preflight import sources_of
from search_spaces.identity import source_name
from search_spaces.plan import Arm, Node, Plan, PlannedTrial


def plan_json(plan: Plan, assumed: Assumptions | None = None) -> dict[str, Any]:
    """Turn a plan into plain values. `assumed` is what memory and cost rest on; None for the defaults."""
    sections = plan_sections(plan, assumed)
    return {name: list(value) if isinstance(value, Iterator) else value for name, value in sections.items()}


def plan_sections(plan: Plan, assumed: Assumptions | None = None) -> dict[str, Any]:
    """Turn a plan into plain values as `plan_json` does, the long lists being iterators whose items are made in turn.

    The plain values of 100,000 arms take gigabytes where they are all there at once.

    Args:
        plan: of a study.
        assumed: what memory and cost rest on; None for the defaults.
    """
    assumed = assumed or Assumptions()
    sizes, evaluations = estimates(plan, assumed), evaluation_estimates(plan, assumed)
    stage_ids = {node.id for node in plan.nodes.values() if node.kind == "stage"}
    first = _first_trials(plan)
    return {
        "study": {"name": plan.study, "question": plan.question, "digest": plan.digest},
        "axes": list(plan.axes),
        "seeds_vary": what_varies(plan),
        "arms": ({**_arm_json(arm, first[arm.name]), **evaluation_json(evaluations[arm.name])} for arm in plan.arms),
        "trials": (_trial_json(trial, stage_ids) for trial in plan.trials),
        "stages": (
            {**_stage_json(node, stage_ids), **estimate_json(sizes[node.id])}
            for node in plan.nodes.values()
            if node.kind == "stage"
        ),
        "features": [_features_json(node) for node in plan.nodes.values() if node.kind == "features"],
        "sources": _sources_json(plan),
        "benchmarks": [
            {
                "id": benchmark.id,
                "source": benchmark.source.declared,
                "protocol": benchmark.protocol,
                "sample": benchmark.sample,
                "only": None if benchmark.only is None else len(benchmark.only.ids),
            }
            for benchmark in plan.benchmarks
        ],
        "samples": [
            {"id": sample.id, "source": sample.source.declared, "protocol": sample.protocol} for sample in plan.samples
        ],
        "blind": {
            "on": bool(plan.blind.sets),
            "declared": plan.blind.is_declared,
            "reason": plan.blind.reason,
            "sets": [benchmark.name for benchmark in plan.blind.sets],
        },
        "added_seeds": {arm: list(seeds) for arm, seeds in plan.added_seeds.items()},
        "excluded": [{"arm": exclusion.arm, "reason": exclusion.reason} for exclusion in plan.excluded],
        "notes": list(plan.notes),
        "totals": {
            **totals(plan),
            "gpu_hours": _hours(sizes),
            "peak_disk_bytes": peak_disk(plan, sizes),
            "disk_budget_bytes": plan.disk_budget_bytes,
        },
        "most_work_lost": {
            name: {"steps": steps, "minutes": minutes} for name, (steps, minutes) in most_work_lost(plan).items()
        },
        "assumptions": {"gpu": assumed.gpu, "mfu": assumed.reached, "text_tokens": assumed.text_tokens},
    }


def _sources_json(plan: Plan) -> list[dict[str, Any]]:
    """List the sources of a plan, with the digests of their content as far as they are known."""
    asked = {source_name(benchmark.source) for benchmark in plan.evaluation_sets}
    specs = {(id(trial.spec.stages), id(trial.spec.language)): trial.spec for trial in plan.trials}  # arms share them
    names = map(source_name, sources_of(specs.values(), plan.evaluation_sets))
    return [{"name": name, "digest": plan.digests.get(name), "asked": name in asked} for name in names]


def _first_trials(plan: Plan) -> dict[str, PlannedTrial]:
    first: dict[str, PlannedTrial] = {}
    for trial in plan.trials:
        first.setdefault(trial.arm, trial)
    return first


def _arm_json(arm: Arm, trial: PlannedTrial) -> dict[str, Any]:
    return {
        "id": arm.id,
        "name": arm.name,
        "difference": arm.difference,
        "values": arm.values,
        "tokens_per_image": trial.spec.vision.tokens,
        "feature_width": trial.spec.vision.width,
        "resources": arm.resources.model_dump(mode="json"),
        "stage_resources": {name: spec.model_dump(mode="json") for name, spec in arm.stage_resources.items()},
        "note": arm.note,
    }


def _trial_json(trial: PlannedTrial, stage_ids: set[str]) -> dict[str, Any]:
    return {
        "id": trial.id,
        "arm": trial.arm,
        "seed": trial.seed,
        **({"draws": asdict(trial.spec.split)} if trial.spec.split is not None else {}),
        "stages": [name for name in trial.path if name in stage_ids],
        "features": [name for name in trial.path if name.startswith("features-")],
        "evaluation": trial.path[-1],
    }


def _features_json(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "key": node.key,
        "name": node.name,
        "bytes": node.bytes,
        "missing": list(node.missing),
        "trials": list(node.trials),
    }


def _stage_json(node: Node, stage_ids: set[str]) -> dict[str, Any]:
    return {
        "id": node.id,
        "key": node.key,
        "name": node.name,
        "steps": node.steps,
        "approximate": node.approximate,
        "after": node.after if node.after in stage_ids else None,
        "trials": list(node.trials),
        "missing": list(node.missing),
    }


def _hours(sizes: Mapping[str, Estimate | None]) -> float | None:
    """Sum the GPU-hours of all stages, each counted once; None where some are not known, or there are no GPUs."""
    hours = [None if size is None else size.gpu_hours for size in sizes.values()]
    known = [each for each in hours if each is not None]
    return sum(known) if known and len(known) == len(hours) else None


class Totals(TypedDict):
    """Counts of a plan, and what sharing saves. Steps are None where some stage's are not known yet."""

    arms: int
    trials: int
    stages: int
    stages_unshared: int
    steps: int | None
    steps_saved: int | None
    features: int
    feature_bytes: int


def totals(plan: Plan) -> Totals:
    """Count what a plan has, and what sharing saves."""
    stages = [node for node in plan.nodes.values() if node.kind == "stage"]
    features = [node for node in plan.nodes.values() if node.kind == "features"]
    known = [(node.steps, len(node.trials)) for node in stages if node.steps is not None]
    complete = len(known) == len(stages)
    return {
        "arms": len(plan.arms),
        "trials": len(plan.trials),
        "stages": len(stages),
        "stages_unshared": sum(len(node.trials) for node in stages),
        "steps": sum(steps for steps, _ in known) if complete else None,
        "steps_saved": sum(steps * (users - 1) for steps, users in known) if complete else None,
        "features": len(features),
        "feature_bytes": sum(node.bytes or 0 for node in features),
    }
