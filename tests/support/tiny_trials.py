"""Tiny trials on generated data: the real libraries and files at a size that trains in a second."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from search_spaces.identity import features_key, source_name, stage_key, weights_name
from search_spaces.outcomes import Progress, UnitDone
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import (
    BenchmarkSpec,
    LanguageSpec,
    MixPart,
    MixSpec,
    OptimizerSpec,
    ProjectorSpec,
    ScheduleSpec,
    SourceSpec,
    StageSpec,
    TokenizerSpec,
    TrialSpec,
    VisionSpec,
)
from trainables.data.prepare import prepare_source
from trainables.model.weights import digest_weights, find_weights
from trainables.run_trial import run_trial
from trainables.storage.store import LocalStore, Store
from trainables.task import Context, FeaturesTask, StageTask, TrialTask

GENERATED = {"records": 40, "seed": 1}
SGD = OptimizerSpec(kind="sgd", lr=0.05, momentum=0.9)
ADAMW = OptimizerSpec(lr=3e-3, eps=1e-8)


def source(split: str = "train", **options: Any) -> SourceSpec:
    return SourceSpec(name="shapes", version="1", reader="generated", options={**GENERATED, "split": split, **options})


def vision(**changes: Any) -> VisionSpec:
    fields: dict[str, Any] = {
        "backbone": "tiny",
        "arch": "test_efficientnet",
        "family": "conv",
        "weights": "random",
        "checkpoint": None,
        "resolution": 64,
        "resize": "naive",
        "interpolate": False,
        "patch": 32,
        "width": 256,
        "tokens": 4,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
    }
    return VisionSpec(**(fields | changes))


def language(**changes: Any) -> LanguageSpec:
    fields: dict[str, Any] = {
        "name": "tiny",
        "family": "llama",
        "checkpoint": None,
        "config": {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "initializer_range": 0.1,
        },
        "tokenizer": TokenizerSpec(kind="bytes"),
        "prompt": "bare",
        "width": 32,
        "max_length": 96,
    }
    return LanguageSpec(**(fields | changes))


def stage(name: str = "finetune", **changes: Any) -> StageSpec:
    fields: dict[str, Any] = {
        "name": name,
        "trains": ("projector", "language"),
        "data": MixSpec(name="shapes", parts=(MixPart(source=source()),)),
        "max_steps": 6,
        "global_batch": 8,
        "optimizer": ADAMW,
        "schedule": ScheduleSpec(kind="cosine", warmup_steps=2),
    }
    return StageSpec(**(fields | changes))


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
    """A task whose data are prepared on `storage`, also its data folder; `resources` are fields of ResourceSpec.

    With `store` they are prepared there, and `storage` is the data folder only.
    """
    store, test = store or LocalStore(storage), source("test")
    benchmarks = (BenchmarkSpec(id="shapes", source=test, select="shape"),) if benchmarks is None else benchmarks
    spec = TrialSpec(
        vision=vision_spec or vision(),
        projector=projector_spec or ProjectorSpec(kind="gelu-mlp"),
        language=language_spec or language(),
        stages=stages or (stage(),),
        seed=seed,
    )
    sources = {source_name(part.source): part.source for s in spec.stages for part in s.data.parts}
    sources |= {source_name(benchmark.source): benchmark.source for benchmark in benchmarks}
    digests = {name: prepare_source(s, store, storage)[0] for name, s in sources.items()}
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


def run(task: TrialTask, context: Context | None = None) -> list[Progress]:
    """All that the loop yields."""
    return list(run_trial(task, context or Context()))


def losses(events: list[Progress]) -> list[float]:
    """Losses of all training steps, in order; not a number where a loss was not finite."""
    steps = [event for event in events if isinstance(event, UnitDone) and event.node.startswith("stage-")]
    return [math.nan if step.loss is None else step.loss for step in steps]


def is_step(progress: Progress, step: int) -> bool:
    """Whether this is the end of a step of the stage `finetune`."""
    return isinstance(progress, UnitDone) and (progress.label, progress.step) == ("finetune", step)
