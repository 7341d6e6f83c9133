"""Make tasks for workers, and work for the schedule, from a plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cluster.cost import TEXT_TOKENS, operations, stage_disk
from cluster.launcher import ResourceRequest
from cluster.memory import stage_memory
from orchestrator.running.work import Work
from orchestrator.state.ledger import Ledger
from search_spaces.identity import features_key, source_name
from search_spaces.memory_shape import trial_shape
from search_spaces.plan import Arm, Node, Plan, PlannedTrial
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import micro_batch
from search_spaces.spec import StageSpec
from trainables.smaller_batches import halved
from trainables.task import FeaturesTask, StageTask, TrialTask

WRITE_MARGIN_BYTES = 1_000_000
"""For the small files beside weights."""


def resource_request(resources: ResourceSpec) -> ResourceRequest:
    """Return the resource request of a trial that runs on these resources."""
    return ResourceRequest(
        resources.workers,
        resources.cpus_per_worker,
        resources.gpus_per_worker,
        labels=tuple(sorted(resources.node_labels.items())),
    )


def requests_by_arm(plan: Plan) -> dict[str, ResourceRequest]:
    """Map the name of each arm to the resource request of its trials."""
    return {arm.name: resource_request(arm.resources) for arm in plan.arms}


def remaining_work(plan: Plan, ledger: Ledger, seconds: Mapping[str, float]) -> list[Work]:
    """List every trial that is not done yet, in plan order.

    Args:
        plan: of the study.
        ledger: what storage holds of it.
        seconds: each node with the seconds that it is estimated to take.
    """
    requests, shapes = requests_by_arm(plan), shape_names(plan)
    facts = facts_by_arm(plan, shapes)
    todo = [trial for trial in plan.trials if ledger.trials[trial.id].state != "done"]
    return [
        Work(
            trial.id,
            trial.path,
            requests[trial.arm],
            tuple(seconds[node] for node in trial.path),
            is_begun=_is_begun(trial, ledger),
            facts=facts[trial.arm],
            shape=shapes[trial.arm],
        )
        for trial in todo
    ]


def _is_begun(trial: PlannedTrial, ledger: Ledger) -> bool:
    """Return whether storage holds a part of a piece of work that this trial needs, and not only whole ones."""
    entry = ledger.trials[trial.id]
    return bool(entry.scored) or not ledger.kept_steps.keys().isdisjoint(trial.path)


def facts_by_arm(plan: Plan, shapes: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Say of every arm with trials what they are: their arm, its values, their workers, their shape.

    Args:
        plan: of the study.
        shapes: names of the shapes, by arm.
    """
    return {
        arm.name: frozenset(
            {
                f"the arm {arm.name}",
                *(f"{axis}={value}" for axis, value in arm.values.items() if arm.by_axes),
                str(resource_request(arm.resources)),
                shapes[arm.name],
            }
        )
        for arm in plan.arms
        if arm.name in shapes
    }


def shape_names(plan: Plan) -> dict[str, str]:
    """Name the shape of each arm with trials, after the first arm that has it."""
    shapes = shapes_by_arm(plan)
    first = {shape: arm for arm, shape in reversed(shapes.items())}
    return {arm: f"the shape of {first[shape]}" for arm, shape in shapes.items()}


def shapes_by_arm(plan: Plan) -> dict[str, str]:
    """Map each arm with trials to the shape of these: seeds share it."""
    arms, shapes = {arm.name: arm for arm in plan.arms}, dict[str, str]()
    for trial in plan.trials:
        if trial.arm not in shapes:
            shapes[trial.arm] = trial_shape(
                trial.spec,
                [arms[trial.arm].resources_of(stage.name) for stage in trial.spec.stages],
                any(plan.nodes[node].kind == "features" for node in trial.path),
                plan.evaluation_sets,
            )
    return shapes


def largest_write(plan: Plan) -> int:
    """Estimate the most bytes that a trial of the plan writes to storage at a time, and a margin."""
    arms = {arm.name: arm for arm in plan.arms}
    sizes = [node.bytes or 0 for node in plan.nodes.values() if node.kind == "features"]
    for trial in plan.trials:
        arm = arms[trial.arm]
        if arm.size is None:
            continue
        for node, stage in zip(trial.stage_nodes(plan), trial.spec.stages, strict=True):
            disk = stage_disk(arm.size, stage, node.steps)
            sizes.append(max(disk.step_checkpoint, disk.handed_on))
    return max(sizes, default=0) + WRITE_MARGIN_BYTES


def make_task(plan: Plan, trial: PlannedTrial, digests: dict[str, str], storage: Path, data_root: Path) -> TrialTask:
    """Make the task that the workers of a trial are given.

    Args:
        plan: of the study.
        trial: of this plan; the keys of its nodes must be known.
        digests: name of a source, of weights or of a file -> digest.
        storage: root of the storage, as workers see it.
        data_root: root of the data, as workers see it.

    Raises:
        ValueError: if a node has no key.
    """
    arm = next(arm for arm in plan.arms if arm.name == trial.arm)
    nodes = [plan.nodes[node] for node in trial.path]
    features = [node for node in nodes if node.kind == "features"]
    stages = [node for node in nodes if node.kind == "stage"]
    source_of = _feature_sources(plan, trial, digests)
    return TrialTask(
        study=plan.study,
        id=trial.id,
        arm=trial.arm,
        trial=trial.spec,
        features=tuple(
            FeaturesTask(node=node.id, key=_known(node), source=source_of[_known(node)]) for node in features
        ),
        stages=tuple(
            StageTask(
                node=node.id,
                key=_known(node),
                steps=node.steps or 0,
                resources=arm.resources_of(spec.name),
                expected_memory=_expected_memory(arm, trial, spec, cached=bool(features)),
                operations_per_record=_operations(arm, trial, spec, cached=bool(features)),
            )
            for node, spec in zip(stages, trial.spec.stages, strict=True)
        ),
        benchmarks=plan.benchmarks,
        samples=plan.samples,
        blind=plan.blind.sets,
        evaluation_node=nodes[-1].id,
        digests=digests,
        storage=str(storage),
        data=str(data_root),
    )


def _operations(arm: Arm, trial: PlannedTrial, stage: StageSpec, cached: bool) -> int | None:
    text_tokens = min(TEXT_TOKENS, trial.spec.language.max_length)
    return None if arm.size is None else operations(arm.size, stage, text_tokens, cached).model


def _expected_memory(arm: Arm, trial: PlannedTrial, stage: StageSpec, cached: bool) -> tuple[tuple[int, int], ...]:
    """Estimate the peak bytes of one worker at the stage's micro-batch and at those that halving leads to."""
    if arm.size is None:
        return ()
    resources, longest = arm.resources_of(stage.name), trial.spec.language.max_length
    share, sizes = stage.global_batch // resources.workers, [micro_batch(stage, resources)]
    while sizes[-1] > 1:
        sizes.append(halved(sizes[-1], share))
    return tuple(
        (
            size,
            stage_memory(arm.size, stage, resources.model_copy(update={"micro_batch": size}), longest, cached).total,
        )
        for size in sizes
    )


def _known(node: Node) -> str:
    if node.key is None or (node.kind == "stage" and node.steps is None):
        raise ValueError(f"{node.id} must have a key before it is run, but lacks {', '.join(node.missing) or 'steps'}")
    return node.key


def _feature_sources(plan: Plan, trial: PlannedTrial, digests: dict[str, str]) -> dict[str, str]:
    """Map features keys to the digest names of their sources, for everything this trial's encoder may look at."""
    sources = [part.source for stage in trial.spec.stages for part in stage.data.parts]
    sources += [benchmark.source for benchmark in plan.evaluation_sets]
    spec = trial.spec
    return {str(features_key(spec.vision, source, spec.draws.init, digests)): source_name(source) for source in sources}
