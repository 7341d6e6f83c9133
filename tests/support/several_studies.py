"""Storages that several studies share, for tests: real study files and plans, and the files that their trials leave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.planning.plan_json import plan_json
from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import Digests, known_digests, sources_of
from orchestrator.state.documents import PlanDocument
from search_spaces.identity import source_name, weights_name
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.study_files import load_study
from tests.support.stored_studies import answers, finish_features, finish_trial, key_of
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Attempt, AttemptStage, Counts, DigestCache, SourceDigest, WeightsDigest
from trainables.storage.store import LocalStore

_COUNTS = Counts(records=14432, text_only=0, images=1500, tags={"color": 1900})

_STUDY = """\
study: {name}
question: Does it matter?
base:
  vision: {{backbone: efficientnet-lite0, resolution: 64}}
  projector: gelu-mlp
  language: llama-2x96
  stages: [align, finetune]
  max_steps: {first}
  data: easy-vqa-1500
recipe: {{extends: quickstart, align: {{trains: [projector], max_steps: 3, data: easy-vqa-1500}}}}
axes: {{max_steps: [{steps}]}}
seeds: {seeds}
benchmarks: easy-vqa
"""


@dataclass(frozen=True)
class StoredStudy:
    """A version of a study on a storage: its file, and its plan."""

    file: Path
    plan: Plan

    def trial(self, steps: int, seed: int) -> PlannedTrial:
        """Find the trial whose last stage has so many steps."""
        return next(t for t in self.plan.trials if (t.spec.stages[-1].max_steps, t.seed) == (steps, seed))


def declare(
    store: LocalStore, name: str, steps: Sequence[int], seeds: Sequence[int] = (7,), limit: int | None = None
) -> StoredStudy:
    """Write a study as its run writes it before it trains: arms differ in the steps of their last stage.

    Args:
        store: where to.
        name: of the study.
        steps: of the last stage, one arm for each; the align stage of a seed is shared, also with other studies.
        seeds: of every arm.
        limit: plan the first so many trials only.
    """
    text = _STUDY.format(name=name, first=steps[0], steps=", ".join(map(str, steps)), seeds=list(seeds))
    file = store.root.parent / f"{name}-{'-'.join(map(str, steps))}.yaml"
    file.write_text(text)
    study, options = load_study(str(file)), PlanOptions(store.root, store.root / layout.SOURCES, limit=limit)
    expansion = expand(study, options)
    if not store.exists(layout.DIGESTS):
        _write_digests(store, plan(expansion, options, Digests({}, {})))
    planned = plan(expansion, options, known_digests(store))
    write(store, layout.plan_file(name), PlanDocument(plan_json(planned)))
    store.put(layout.study_file(name), text.encode())
    return StoredStudy(file, planned)


def _write_digests(store: LocalStore, planned: Plan) -> None:
    """Write the digests of a plan's sources and weights, as a preflight does; the sources lie there, but for bytes."""
    specs = [trial.spec for trial in planned.trials]
    names = [source_name(source) for source in sources_of(specs, planned.evaluation_sets)]
    digests: dict[str, SourceDigest | WeightsDigest] = {
        name: SourceDigest("signature", key_of(name), _COUNTS, key_of(f"pictures of {name}")) for name in names
    }
    for origin in {origin for spec in specs for origin in spec.vision.checkpoints}:
        digests[weights_name(origin)] = WeightsDigest("signature", key_of(origin))
    write(store, layout.DIGESTS, DigestCache(digests))


def begin(store: LocalStore, planned: Plan, trial: PlannedTrial) -> None:
    """Write what a run writes when it starts a trial: its task, a log, the first line of its spool."""
    stages = tuple(AttemptStage(node.key or "") for node in trial.stage_nodes(planned))
    features = tuple(AttemptStage(planned.nodes[name].key or "") for name in trial.path if name.startswith("features-"))
    write(store, layout.trial_task(planned.study, trial.id), Attempt(stages, features=features))
    store.put(layout.worker_log(planned.study, trial.id, 0), b"a line\n")
    store.put(layout.spool(planned.study, trial.id), b'{"ts":1,"step":1,"metrics":{"train/loss":0.5}}\n')


def checkpoint(store: LocalStore, key: str, step: int = 2) -> None:
    """Write a step checkpoint of a stage."""
    store.put(f"{layout.step_checkpoint(key, step)}/manifest.json", b"{}")
    store.put(f"{layout.step_checkpoint(key, step)}/rank-0.pt", bytes(100))


def finish(store: LocalStore, planned: Plan, trials: Iterable[PlannedTrial] = ()) -> None:
    """Write all that finished trials leave, with the features that they read; of all trials if none are named."""
    for number, trial in enumerate(tuple(trials) or planned.trials):
        begin(store, planned, trial)
        for name in trial.path:
            if name.startswith("features-"):
                finish_features(store, planned.nodes[name].key or "")
        scores = {benchmark.name: answers(0.5 + number / 50, number, 40) for benchmark in planned.benchmarks}
        finish_trial(store, planned, trial, scores)
