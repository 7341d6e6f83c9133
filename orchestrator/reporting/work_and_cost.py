"""What was done, what it cost, and what sharing equal work has saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, assert_never

from orchestrator.planning.estimates import Assumptions, Estimate, estimates
from orchestrator.reporting.report_model import ArmCost, ComparedRun, Row, Sharing, StageWork
from orchestrator.state.ledger import Ledger
from orchestrator.state.runs import compared_runs
from orchestrator.state.stored_nodes import node_result
from orchestrator.state.used_devices import devices_by_trial
from search_spaces.catalogue.load import shipped
from search_spaces.plan import Arm, Node, Plan
from search_spaces.quantities import Device
from trainables.storage.records import Cost, EvaluationResult, StageResult
from trainables.storage.store import Store


def sharing(plan: Plan, ledger: Ledger, store: Store) -> Sharing:
    """Count the work of the plan by trial and once each, and sum its GPU-seconds shared and alone.

    What sharing has saved is told by the costs of the trials that are done, caches of features included. What the study
    has cost is summed over stages and scores on storage, whichever trial or study has produced them: also what trials
    without a result have finished counts.

    Args:
        plan: with the graph.
        ledger: what storage holds of scores and failures.
        store: where the costs of stages and features lie.
    """
    nodes = [plan.nodes[node] for trial in plan.trials for node in trial.path]
    unique = {node.id: node for node in nodes}.values()
    costs = [entry.result.cost for entry in ledger.trials.values() if entry.result is not None]
    scorings = _scorings(ledger)
    trained_on = devices_by_trial(plan, store)
    by_device: dict[Device, float] = defaultdict(float)
    for node in unique:
        if node.kind == "features":  # one that was freed has no result, and what is shown must not change by that
            continue
        devices = [device for trial in node.trials for device in trained_on.get(trial, ())] or [plan.device]
        by_device[devices[-1]] += _gpu_seconds(node, scorings, store)
    return Sharing(
        stages_by_trial=sum(node.kind == "stage" for node in nodes),
        stages=sum(node.kind == "stage" for node in unique),
        features_by_trial=sum(node.kind == "features" for node in nodes),
        features=sum(node.kind == "features" for node in unique),
        gpu_seconds=sum(cost.gpu_seconds for cost in costs),
        gpu_seconds_alone=sum(cost.gpu_seconds_alone for cost in costs),
        by_device={device: spent for device, spent in by_device.items() if spent},
        failed_attempts=sum(entry.failures_before + (entry.failure is not None) for entry in ledger.trials.values()),
    )


def arm_costs(arms: Sequence[Arm], ledger: Ledger, rows: Sequence[Row]) -> tuple[ArmCost, ...]:
    """Sum the costs of every arm with a result, in plan order, and mark the Pareto front.

    Args:
        arms: of the plan.
        ledger: with the costs of trials.
        rows: with the mean scores of arms.
    """
    by_arm: dict[str, list[Cost]] = {arm.name: [] for arm in arms}
    for entry in ledger.trials.values():
        if entry.result is not None:
            by_arm[entry.arm].append(entry.result.cost)
    scores = {row.arm: row.mean.estimate.value for row in rows if row.mean.estimate is not None}
    prices = {arm: sum(cost.gpu_seconds_alone for cost in costs) / len(costs) for arm, costs in by_arm.items() if costs}
    front = _pareto({arm: (prices[arm], scores[arm]) for arm in prices if arm in scores})
    return tuple(
        ArmCost(
            arm=arm,
            trials=len(costs),
            gpu_seconds=sum(cost.gpu_seconds for cost in costs),
            gpu_seconds_alone=sum(cost.gpu_seconds_alone for cost in costs),
            wall_seconds=sum(cost.wall_seconds for cost in costs),
            is_pareto=arm in front,
        )
        for arm, costs in by_arm.items()
        if costs
    )


def stage_tree(plan: Plan, ledger: Ledger, store: Store) -> tuple[StageWork, ...]:
    """Lay out the graph of work, nodes of equal kind that the same arms need taken together; parents before children.

    Args:
        plan: with the graph.
        ledger: which work is done.
        store: where the costs of stages lie.
    """
    users: dict[str, list[str]] = defaultdict(list)
    for trial in plan.trials:
        for name in trial.path:
            users[name].append(trial.arm)
    groups: dict[str, list[Node]] = defaultdict(list)
    group_of: dict[str, str] = {}
    children: dict[str | None, list[str]] = defaultdict(list)
    for trial in plan.trials:
        previous: str | None = None
        for node in (plan.nodes[name] for name in trial.path):
            if node.id not in group_of:
                group = f"{previous}/{node.kind} {node.name}/{sorted(set(users[node.id]))}"
                if group not in groups:
                    children[previous].append(group)
                group_of[node.id] = group
                groups[group].append(node)
            previous = group_of[node.id]
    planned = _planned_work(plan, ledger, store)
    work: list[StageWork] = []
    scorings = _scorings(ledger)

    def descend(parent: str | None, depth: int) -> None:
        for group in children[parent]:
            work.append(_work(groups[group], depth, users, scorings, planned, ledger, store))
            descend(group, depth + 1)

    descend(None, 0)
    return tuple(work)


def runs_compared(store: Store, study: str) -> tuple[ComparedRun, ...]:
    """List what the runs of a study were to take and what they have taken, the oldest first."""
    return tuple(
        ComparedRun(record.began, record.forecast, record.usage)
        for record in compared_runs(store, study)
        if record.forecast is not None and record.usage is not None
    )


def _scorings(ledger: Ledger) -> dict[str, list[EvaluationResult]]:
    """Collect all that the trained models were asked, by trial: benchmarks, samples and the blind run."""
    scorings: dict[str, list[EvaluationResult]] = defaultdict(list)
    for evaluations in (ledger.evaluations, ledger.samples, ledger.blind):
        for (trial, _), evaluation in evaluations.items():
            scorings[trial].append(evaluation)
    return scorings


class _Planned(NamedTuple):
    """Estimate of a stage that a GPU has trained."""

    gpu_seconds: float
    gpu: str
    """Kind of the GPU, by its name in the catalogue."""


def _planned_work(plan: Plan, ledger: Ledger, store: Store) -> dict[str, _Planned]:
    """Estimate the stages that are done on the kinds of GPUs that trained them, by node id.

    On CPUs there would be nothing but a guess. Where the catalogue does not know the GPU, the plan's is taken.
    """
    if not any(request.gpus_per_worker for arm in plan.arms for request in arm.requests):
        return {}
    on_kinds: dict[str | None, dict[str, Estimate | None]] = {}
    planned: dict[str, _Planned] = {}
    for node in plan.nodes.values():
        result = node_result(node, store) if node.kind == "stage" and node.id in ledger.done_nodes else None
        device = result.provenance.get("device", "") if isinstance(result, StageResult) else "cpu"
        if device == "cpu":
            continue
        kind = shipped().gpu_named(device)
        assumed = Assumptions() if kind is None else Assumptions(kind, is_for_all=True)
        if kind not in on_kinds:
            on_kinds[kind] = estimates(plan, assumed)
        estimate = on_kinds[kind][node.id]
        if estimate is not None and estimate.gpu_hours is not None:
            planned[node.id] = _Planned(estimate.gpu_hours * 3600, assumed.on(estimate.resources).gpu)
    return planned


def _work(
    nodes: Sequence[Node],
    depth: int,
    users: Mapping[str, Sequence[str]],
    scorings: Mapping[str, Sequence[EvaluationResult]],
    planned: Mapping[str, _Planned],
    ledger: Ledger,
    store: Store,
) -> StageWork:
    expected = [planned[node.id] for node in nodes if node.id in planned]
    seconds = {node.id: _gpu_seconds(node, scorings, store) for node in nodes}
    steps = {node.steps for node in nodes}
    return StageWork(
        name=nodes[0].name,
        kind=nodes[0].kind,
        depth=depth,
        arms=tuple(dict.fromkeys(arm for node in nodes for arm in users[node.id])),
        n=len(nodes),
        done=sum(node.id in ledger.done_nodes for node in nodes),
        steps=steps.pop() if len(steps) == 1 else None,
        gpu_seconds=sum(seconds.values()),
        planned_gpu_seconds=sum(each.gpu_seconds for each in expected) if expected else None,
        planned_on=tuple(sorted({each.gpu for each in expected})),
        gpu_seconds_saved=sum(seconds[node.id] * (len(users[node.id]) - 1) for node in nodes),
    )


def _gpu_seconds(node: Node, scorings: Mapping[str, Sequence[EvaluationResult]], store: Store) -> float:
    """Read the GPU-seconds of one piece of work; 0 while it has no result."""
    match node.kind:
        case "evaluation":
            evaluations = {
                (scoring.key, scoring.benchmark): scoring
                for trial in node.trials
                for scoring in scorings.get(trial, ())
            }
            return sum(evaluation.gpu_seconds for evaluation in evaluations.values())
        case "features" | "stage":
            result = node_result(node, store)
            return result.gpu_seconds if result is not None else 0.0
        case _:
            assert_never(node.kind)


def _pareto(points: Mapping[str, tuple[float, float]]) -> frozenset[str]:
    """Find in arm -> (price, score) those that no other one beats in one and equals in the other."""

    def is_beaten(price: float, score: float) -> bool:
        return any(p <= price and s >= score and (p, s) != (price, score) for p, s in points.values())

    return frozenset(arm for arm, point in points.items() if not is_beaten(*point))
