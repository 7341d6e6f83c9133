"""Find why a trial on storage is not the one of the study: data, weights, definition, trainer, or what is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.state.ledger import TrialEntry
from search_spaces.identity import SCORING_VERSION, fingerprint, needed_digests, source_name
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.spec import BenchmarkSpec
from trainables.storage.record_files import read_or_drop
from trainables.storage.records import Attempt, EvaluationResult
from trainables.storage.store import Store

CauseKind = Literal[
    "data", "weights", "trainer", "definition", "new benchmark", "protocol", "benchmark data", "scoring", "lost scores"
]
"""In what a trial on storage is another than that of the study.

- `data`, `weights`: content of a source, or of pretrained weights, that it trains on.
- `trainer`: the version of the training code (`search_spaces.identity.TRAINER_VERSION`), or its number of steps.
- `definition`: the arm of this name, with this seed, was another configuration.
- `new benchmark`: it was never scored on it.
- `protocol`, `benchmark data`: of a benchmark that it was scored on; `protocol` includes which questions are asked.
- `scoring`: the version of scoring, or of the protocol's own rules.
- `lost scores`: they were there, and their file is gone.
"""

_SHOWN_FIELDS = 3


@dataclass(frozen=True)
class Cause:
    """One thing in which a trial on storage is another than that of the study."""

    kind: CauseKind
    about: str = ""
    """Name of the source, of the weights, of the benchmark, or the fields that differ."""


def why_attempt_differs(plan: Plan, trial: PlannedTrial, attempt: Attempt) -> tuple[Cause, ...]:
    """Find why an attempt was to train other stages than the plan; nothing if they are the same.

    Args:
        plan: of the study.
        trial: of the plan.
        attempt: the last one of this trial.
    """
    nodes = trial.stage_nodes(plan)
    keys = [stage.key for stage in attempt.stages]
    if len(keys) == len(nodes) and all(node.key in (None, key) for node, key in zip(nodes, keys, strict=True)):
        return ()
    needed = needed_digests(trial.spec, len(trial.spec.stages) - 1)
    moved = [name for name in needed if _moved(name, plan.digests, attempt.digests)]
    causes = tuple(Cause("weights" if name.startswith("weights:") else "data", _label(name)) for name in moved)
    return causes or (Cause("trainer"),)


def why_scores_differ(plan: Plan, entry: TrialEntry, attempt: Attempt | None, store: Store) -> tuple[Cause, ...]:
    """Find why a trained trial lacks scores that the plan asks for.

    Args:
        plan: of the study.
        entry: what storage holds of the trial, with a result of the plan's stages.
        attempt: the last one of this trial; None if its task is gone.
        store: where its earlier scores are.
    """
    assert entry.result is not None
    causes = []
    for asked in plan.required_sets:
        if asked.name in entry.scored:
            continue
        name = entry.result.evaluations.get(asked.name)
        earlier = None if name is None else read_or_drop(store, name, EvaluationResult, "what was scored is not known")
        if name is None:
            kind: CauseKind = "new benchmark"
        elif earlier is None:
            kind = "lost scores"
        else:
            kind = _why_asked_differs(plan, asked, earlier, attempt)
        causes.append(Cause(kind, asked.name))
    return tuple(causes)


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Say in which fields two specifications differ, the first few of them with their values."""
    texts = list(_changed(before, after))
    more = len(texts) - _SHOWN_FIELDS
    return ", ".join(texts[:_SHOWN_FIELDS]) + (f" and {more} more" if more > 0 else "")


def _why_asked_differs(
    plan: Plan, asked: BenchmarkSpec, earlier: EvaluationResult, attempt: Attempt | None
) -> CauseKind:
    source = source_name(asked.source)
    if attempt is not None and _moved(source, plan.digests, attempt.digests):
        return "benchmark data"
    key = plan.benchmark_keys.get(asked.name)
    if key is None or earlier.asked == key:
        return "scoring"
    before = ({"scoring_version": version, **_asked(asked, plan)} for version in range(1, SCORING_VERSION))
    return "scoring" if any(fingerprint(question) == earlier.asked for question in before) else "protocol"


def _asked(asked: BenchmarkSpec, plan: Plan) -> dict[str, Any]:
    return {"benchmark": asked.asked, "data": plan.digests[source_name(asked.source)]}


def _moved(name: str, now: Mapping[str, str], before: Mapping[str, str]) -> bool:
    return name in now and name in before and now[name] != before[name]


def _label(digest_name: str) -> str:
    return digest_name.partition(":")[2].partition("?")[0]


def _changed(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield the leaves in which two plain values differ, as `path before -> after`."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            yield from _changed(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif before != after:
        is_short = not any(isinstance(value, Mapping | list | tuple) for value in (before, after))
        yield f"{path} {before} -> {after}" if is_short else path
