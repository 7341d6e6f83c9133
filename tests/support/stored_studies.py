"""Studies on storage for tests: the real files of finished, failed and half-done trials of a hand-made plan."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save

from search_spaces.identity import needed_digests, source_name
from search_spaces.plan import Node, Plan, PlannedTrial
from search_spaces.spec import BenchmarkSpec
from search_spaces.study import Hypothesis, Study
from tests.support.small_plans import small_plan
from tests.support.tiny_specs import source
from trainables.evaluation.results import evaluation_key
from trainables.storage import layout
from trainables.storage.digests import row_digest
from trainables.storage.owner import Owner
from trainables.storage.record_files import read, write
from trainables.storage.records import Cost, EvaluationResult, Failure, FeaturesResult, StageResult, TrialResult
from trainables.storage.store import LocalStore

N_EXAMPLES = 400
PER_IMAGE = 4
BOTH = ("shape", "colour")
PROVENANCE = {"torch": "2.14", "device": "cpu"}


def key_of(name: str) -> str:
    """Make the key of the node of this name."""
    return hashlib.sha256(name.encode()).hexdigest()


def two_stage_plan(
    resolutions: Sequence[int] = (64, 32, 16),
    seeds: Sequence[int] = (7, 8),
    benchmarks: Sequence[str] = BOTH,
) -> Plan:
    """Plan arms that share the align stage of their seed: 20 steps, and then 80 of their own."""
    plan = small_plan(resolutions, seeds)
    nodes: dict[str, Node] = {}
    trials = []
    for trial in plan.trials:
        align, finetune, evaluation = f"align-s{trial.seed}", f"finetune-{trial.id}", f"evaluation-{trial.id}"
        sharing = tuple(other.id for other in plan.trials if other.seed == trial.seed)
        nodes[align] = Node(align, "stage", key_of(align), "align", 20, None, sharing)
        nodes[finetune] = Node(finetune, "stage", key_of(finetune), "finetune", 80, align, (trial.id,))
        nodes[evaluation] = Node(evaluation, "evaluation", None, "evaluation", None, finetune, (trial.id,))
        trials.append(replace(trial, path=(align, finetune, evaluation)))
    specs = tuple(BenchmarkSpec(id=name, source=source()) for name in benchmarks)
    return replace(plan, nodes=nodes, trials=tuple(trials), benchmarks=specs)


def trial_of(plan: Plan, arm: str, seed: int) -> PlannedTrial:
    """Find the trial of an arm and a seed."""
    return next(trial for trial in plan.trials if (trial.arm, trial.seed) == (arm, seed))


def answers(accuracy: float, seed: int = 0, n: int = N_EXAMPLES) -> np.ndarray:
    """Make scores, 0 or 1, of `n` examples with exactly this accuracy, in an order that depends on `seed`."""
    right = np.zeros(n)
    right[: round(accuracy * n)] = 1.0
    return np.random.default_rng(seed).permutation(right)


def noisy_answers(
    accuracies: Mapping[str, Sequence[float]],
    arm: str,
    seed: int,
    n: int = N_EXAMPLES,
    benchmarks: Sequence[str] = BOTH,
) -> dict[str, np.ndarray]:
    """Make scores by benchmark, with a little noise by seed and the same hard examples for all arms.

    Args:
        accuracies: By arm, one share of right answers for each benchmark, taken in turns.
        arm: Whose answers are made.
        seed: Of the trial.
        n: Examples of a benchmark.
        benchmarks: Names of the benchmarks, in the order of the accuracies.
    """
    noise = np.random.default_rng([seed, *arm.encode()]).normal(0, 0.004, 2)
    hard = np.random.default_rng(1).permutation(n)
    scores = {}
    for i, benchmark in enumerate(benchmarks):
        right = np.zeros(n)
        right[hard[: round((accuracies[arm][i % 2] + noise[i % 2]) * n)]] = 1
        scores[benchmark] = right
    return scores


def finish_stage(
    store: LocalStore,
    node: Node,
    provenance: Mapping[str, str] = PROVENANCE,
    left_out: Mapping[str, int] | None = None,
) -> None:
    """Write the result of a stage.

    Args:
        store: where to.
        node: of the stage.
        provenance: what it ran under.
        left_out: records by source that were dropped because their images are lost.
    """
    assert node.key is not None
    assert node.steps is not None
    weights = save({"weight": np.frombuffer(bytes.fromhex(key_of("weights " + node.id)), np.float32)})
    store.put(layout.module_weights(layout.stage_folder(node.key), "projector"), weights)
    result = StageResult(
        key=node.key,
        name=node.name,
        steps=node.steps,
        modules={"projector": hashlib.sha256(weights).hexdigest()},
        final_loss=0.5,
        diverged=False,
        losses_digest=key_of("losses " + node.id),
        gpu_seconds=10.0,
        samples_per_second=32.0,
        counts={"shapes@1": 100},
        provenance=dict(provenance),
        left_out=dict(left_out or {}),
    )
    write(store, layout.stage_result(node.key), result)


def finish_features(store: LocalStore, key: str, shape: tuple[int, ...] = (15, 4, 8), digested: bool = True) -> None:
    """Write features of zeros and their result, with digests or as a version did that knew none."""
    content = io.BytesIO()
    np.save(content, np.zeros(shape, np.float32))
    store.put(layout.features_array(key), content.getvalue())
    rows = row_digest(bytes(4 * math.prod(shape[1:]))) * shape[0]
    if digested:
        store.put(layout.features_rows(key), rows)
    digest = hashlib.sha256(rows).hexdigest() if digested else ""
    write(store, layout.features_result(key), FeaturesResult(key, shape, 1.0, digest))


def write_examples(store: LocalStore, name: str, scores: np.ndarray, first_id: int = 0) -> None:
    """Write a table of scores per example."""
    ids = [f"q{first_id + i:04d}" for i in range(len(scores))]
    clusters = [f"image{(first_id + i) // PER_IMAGE}" for i in range(len(scores))]
    words = ["yes" if score else "no" for score in scores]
    columns = {"id": ids, "cluster": clusters, "prediction": words, "parsed": words}
    table = pa.table({**columns, "score": pa.array(scores, pa.float32())})
    with store.writing(name) as aside:
        pq.write_table(table, aside)


def replace_examples(store: LocalStore, file: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change a table of scores per example as if the trial had written it so: its result records the new digest.

    Args:
        store: where it is.
        file: the table's.
        change: makes the new table.
    """
    pq.write_table(change(pq.read_table(file)), file)
    name = str(file.with_suffix(".json").relative_to(store.root))
    result, content = read(store, name, EvaluationResult), file.read_bytes()
    assert result is not None
    digest = hashlib.sha256(content).hexdigest()
    write(store, name, replace(result, examples_digest=digest, examples_bytes=len(content)))


def finish_evaluation(
    store: LocalStore,
    key: str,
    benchmark: str,
    scores: np.ndarray,
    first_id: int = 0,
    digested: bool = True,
    **fields: Any,
) -> None:
    """Write the scores per example and the result of an evaluation.

    Args:
        store: where to.
        key: of the evaluation.
        benchmark: name of what was asked.
        scores: of the examples.
        first_id: number of the first example.
        digested: whether the digest is recorded, as versions do that know it.
        fields: of the result, in place of the ones here.
    """
    name = layout.evaluation_examples(key, benchmark)
    write_examples(store, name, scores, first_id)
    content = store.get(name)
    result = EvaluationResult(
        key=key,
        asked="asked",
        benchmark=benchmark.partition("@")[0],
        protocol="official",
        n=len(scores),
        unparsable=0,
        points=100 * float(scores.mean()),
        headline="accuracy",
        metrics={"accuracy": 100 * float(scores.mean())},
        units={},
        warnings=(),
        majority=12.5,
        constant=False,
        gpu_seconds=1.0,
        examples=name,
        examples_digest=hashlib.sha256(content).hexdigest() if digested else "",
        examples_bytes=len(content) if digested else 0,
    )
    write(store, layout.evaluation_result(key, benchmark), replace(result, **fields))


def _score_key(store: LocalStore, plan: Plan, trial: PlannedTrial, name: str) -> str:
    """Return the key of a trial's scores on a benchmark; one of its own where the plan does not know the data."""
    benchmark = next((one for one in plan.evaluation_sets if one.name == name), None)
    needed = needed_digests(trial.spec, len(trial.spec.stages) - 1)
    if benchmark is None or not {source_name(benchmark.source), *needed} <= plan.digests.keys():
        return key_of(f"evaluation {trial.id}")
    results = [read(store, layout.stage_result(node.key or ""), StageResult) for node in trial.stage_nodes(plan)]
    return evaluation_key(trial.spec, plan.digests, benchmark, [result for result in results if result is not None])


def finish_trial(
    store: LocalStore,
    plan: Plan,
    trial: PlannedTrial,
    scores: Mapping[str, np.ndarray],
    *,
    diverged: bool = False,
    majority: float = 12.5,
    constant: Sequence[str] = (),
    unparsable: Mapping[str, int] | None = None,
    best_reachable: float | None = None,
    first_id: int = 0,
    provenance: Mapping[str, str] = PROVENANCE,
) -> None:
    """Write all that a finished trial leaves on storage; on the benchmarks in `constant` it gave one answer.

    `unparsable` has the number of its answers that could not be read, by benchmark.
    """
    stages = [node.key or "" for node in trial.stage_nodes(plan)]
    for node in trial.stage_nodes(plan):
        finish_stage(store, node, provenance)
    evaluations = {}
    for benchmark, values in scores.items():
        key = _score_key(store, plan, trial, benchmark)
        finish_evaluation(
            store,
            key,
            benchmark,
            values,
            first_id=first_id,
            asked=plan.benchmark_keys.get(benchmark) or "asked",
            unparsable=(unparsable or {}).get(benchmark, 0),
            majority=majority,
            constant=benchmark in constant,
            best_reachable=best_reachable,
            images=next((asked.images for asked in plan.blind.sets if asked.name == benchmark), "own"),
        )
        evaluations[benchmark] = layout.evaluation_result(key, benchmark)
    result = TrialResult(
        trial=trial.id,
        stages=tuple(stages),
        evaluations=evaluations,
        diverged=diverged,
        cost=Cost(gpu_seconds=14.0, gpu_seconds_alone=20.0, wall_seconds=30.0),
    )
    write(store, layout.trial_result(plan.study, trial.id), result)


def fail_trial(store: LocalStore, plan: Plan, trial: PlannedTrial, message: str = "CUDA is gone\nsecond line") -> None:
    """Write that a trial failed."""
    failure = Failure(
        trial=trial.id,
        kind="lost",
        message=message,
        traceback="Traceback ...",
        log=layout.worker_log(plan.study, trial.id, 0),
        ts=1_700_000_000_000,
    )
    write(store, layout.trial_failure(plan.study, trial.id), failure)


def put_failure_aside(store: LocalStore, plan: Plan, trial: str, number: int, **fields: Any) -> None:
    """Write that an attempt of a trial failed and was followed by another.

    Args:
        store: the storage.
        plan: of the study.
        trial: id of the trial.
        number: of the attempt, from 1.
        fields: of the failure that are not those of a process that is gone.
    """
    lost = Failure(
        trial=trial,
        kind="lost",
        message="its process is gone",
        traceback="",
        log="",
        ts=1_700_000_000_000,
        host="node-7",
    )
    write(store, layout.trial_attempt(plan.study, trial, number), replace(lost, attempt=number, **fields))


def study_of(*hypotheses: Hypothesis, **fields: Any) -> Study:
    """Make a study with these claims, for a plan that was made by hand; its document is empty."""
    return Study.model_construct(hypotheses=hypotheses, **fields)


def hold_running(store: LocalStore, plan: Plan, trial: str, lines: list[dict[str, object]]) -> None:
    """Hold a trial as a living run does, and write these lines to its spool."""
    assert store.lease(layout.trial_lease(plan.study, trial), Owner.here())
    store.put(layout.spool(plan.study, trial), "".join(json.dumps(line) + "\n" for line in lines).encode())


def spool_step(step: int, seconds: float, loss: float = 0.5) -> dict[str, object]:
    """Make the spool line of a training step that ended after so many seconds."""
    values = {"train/loss": loss, "train/lr": 1e-3, "train/samples_per_s": 64.0}
    return {"ts": 1_700_000_000_000 + round(1000 * seconds), "step": step, "metrics": values}
