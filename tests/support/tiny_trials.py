"""Tiny trials on generated data: the real libraries and files at a size that trains in a second."""

from __future__ import annotations

import math
from itertools import takewhile
from pathlib import Path
from typing import Any

from search_spaces.identity import features_key, pictures_name, source_name, stage_key, weights_name
from search_spaces.outcomes import Progress, UnitDone
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import (
    BenchmarkSpec,
    LanguageSpec,
    ProjectorSpec,
    StageSpec,
    VisionSpec,
)
from tests.support.tiny_specs import source, trial_spec
from trainables.data.prepare import prepare_source
from trainables.model.weights import digest_weights, find_weights
from trainables.run_task import run_task
from trainables.run_trial import run_trial
from trainables.storage import layout
from trainables.storage.record_files import read
from trainables.storage.records import PreparedManifest
from trainables.storage.store import LocalStore, Store
from trainables.task import Context, FeaturesTask, StageTask, TrialTask


def make_task(
    storage: Path,
    *,
    trial_id: str = "tiny",
    seed: int = 7,
    stages: tuple[StageSpec, ...] | None = None,
    vision_spec: VisionSpec | None = None,
    language_spec: LanguageSpec | None = None,
    projector_spec: ProjectorSpec | None = None,
    cached: bool = True,
    benchmarks: tuple[BenchmarkSpec, ...] | None = None,
    store: Store | None = None,
    **resources: Any,
) -> TrialTask:
    """Prepare data on `storage`, also the data folder, and make a task of them; `resources` are fields of ResourceSpec.

    With `store` they are prepared there, and `storage` is the data folder only.
    """
    store, test = store or LocalStore(storage), source("test")
    benchmarks = (BenchmarkSpec(id="shapes", source=test, select="shape"),) if benchmarks is None else benchmarks
    given = {"vision": vision_spec, "projector": projector_spec, "language": language_spec, "stages": stages}
    spec = trial_spec(seed=seed, **{name: part for name, part in given.items() if part})
    sources = {source_name(part.source): part.source for s in spec.stages for part in s.data.parts}
    sources |= {source_name(benchmark.source): benchmark.source for benchmark in benchmarks}
    digests = {name: prepare_source(s, store, storage)[0] for name, s in sources.items()}
    digests |= {pictures_name(name): pictures_digest(store, digest) for name, digest in digests.items()}
    origins = [*spec.vision.checkpoints, *([spec.language.checkpoint] if spec.language.checkpoint else [])]
    digests |= {weights_name(origin): digest_weights(find_weights(origin, storage)) for origin in origins}
    steps = tuple(s.max_steps for s in spec.stages)
    nodes = tuple(
        StageTask(
            node=f"stage-{i}",
            key=str(stage_key(spec, i, steps, digests)),
            steps=s.max_steps or 0,
            resources=ResourceSpec(**resources),
        )
        for i, s in enumerate(spec.stages)
    )
    features = tuple(
        FeaturesTask(node=f"features-{i}", key=str(features_key(spec.vision, s, seed, digests)), source=name)
        for i, (name, s) in enumerate(sources.items())
    )
    return TrialTask(
        study="tiny",
        id=trial_id,
        arm=trial_id,
        trial=spec,
        features=features if cached else (),
        stages=nodes,
        benchmarks=benchmarks,
        evaluation_node="evaluation",
        digests=digests,
        storage=str(storage),
        data=str(storage),
    )


def pictures_digest(store: Store, digest: str) -> str:
    """Read the digest of the pictures of a prepared source."""
    prepared = read(store, layout.data_result(digest), PreparedManifest)
    assert prepared is not None
    return prepared.pictures


def run(task: TrialTask, context: Context | None = None) -> list[Progress]:
    """Run a trial, or the rehearsal of one, to its end, and list what its loop yields."""
    return list(run_task(task, context or Context()))


def run_until(task: TrialTask, step: int, context: Context | None = None) -> list[Progress]:
    """Run a trial and stop it when a step of the stage `finetune` is done; list what it yields before that."""
    loop = run_trial(task, context or Context())
    done = list(takewhile(lambda progress: not is_step(progress, step), loop))
    loop.close()  # type: ignore[attr-defined]
    return done


def losses(events: list[Progress]) -> list[float]:
    """List the losses of all training steps, in order; not a number where a loss was not finite."""
    steps = [event for event in events if isinstance(event, UnitDone) and event.node.startswith("stage-")]
    return [math.nan if step.loss is None else step.loss for step in steps]


def is_step(progress: Progress, step: int) -> bool:
    """Check whether this is the end of a step of the stage `finetune`."""
    return isinstance(progress, UnitDone) and (progress.label, progress.step) == ("finetune", step)
