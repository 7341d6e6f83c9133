"""Where the numbers of a report come from: the study as it stands, versions, machines, digests of data and weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

import yaml

from orchestrator.planning.preflight import known_digests
from orchestrator.state.ledger import Ledger
from search_spaces.identity import FEATURES_VERSION, SCORING_VERSION, TRAINER_VERSION, needed_digests, source_name
from search_spaces.plan import Plan
from search_spaces.study import Study
from trainables.storage import layout
from trainables.storage.record_files import read_or_drop
from trainables.storage.records import StageResult
from trainables.storage.store import Store


@dataclass(frozen=True)
class Condition:
    """One item of provenance, and which arms ran with which value."""

    name: str
    arms: dict[str, tuple[str, ...]]
    """Value -> arms; an arm under two values was run partly with each."""


@dataclass(frozen=True)
class DataDigest:
    """Content of a data source or of pretrained weights, as it was read."""

    name: str
    digest: str
    records: int | None
    images: int | None


@dataclass(frozen=True)
class LeftOut:
    """Records of a source that stages have dropped because their images are lost."""

    source: str
    lost: str
    """How images may be lost, as the study drops them: `missing`, `broken`, `missing or broken`."""
    records: int


@dataclass(frozen=True)
class Provenance:
    program: str
    """Version of this program, and of what changes numbers in it."""
    spec: str
    """The study after `extends` and `--set`, as YAML."""
    data: tuple[DataDigest, ...]
    conditions: tuple[Condition, ...]
    left_out: tuple[LeftOut, ...]
    """Of the trials with a result; sources of which nothing was dropped so are not named."""


def provenance(study: Study, plan: Plan, store: Store, ledger: Ledger, conditions: Sequence[Condition]) -> Provenance:
    """Collect versions, specification, data and conditions, as far as storage and the study know them.

    Args:
        study: with its document.
        plan: of the study.
        store: with the digests of an earlier preflight.
        ledger: of the plan.
        conditions: under which the arms ran (`conditions_of`).
    """
    versions = f"trainer {TRAINER_VERSION}, features {FEATURES_VERSION}, scoring {SCORING_VERSION}"
    return Provenance(
        program=f"ablate-vlm {metadata.version('ablate-vlm')} ({versions})",
        spec=yaml.safe_dump(study.document.value, sort_keys=False, allow_unicode=True, width=100),
        data=_digests(plan, store),
        conditions=tuple(conditions),
        left_out=_left_out(plan, ledger, store),
    )


def conditions_of(ledger: Ledger, store: Store) -> tuple[Condition, ...]:
    """Collect the provenance of the stages of all trials with a result: name -> value -> arms, in plan order."""
    arms_by_value: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    of_stage: dict[str, Mapping[str, str]] = {}
    for entry in ledger.trials.values():
        for key in entry.result.stages if entry.result is not None else ():
            if key not in of_stage:
                result = read_or_drop(store, layout.stage_result(key), StageResult, "its conditions are not known")
                of_stage[key] = result.provenance if result is not None else {}
            for name, value in of_stage[key].items():
                arms_by_value[name][value][entry.arm] = None
    return tuple(
        Condition(name, {value: tuple(arms) for value, arms in sorted(values.items())})
        for name, values in sorted(arms_by_value.items())
    )


def _left_out(plan: Plan, ledger: Ledger, store: Store) -> tuple[LeftOut, ...]:
    """Collect what the stages of all trials with a result have dropped as its images are lost, in plan order."""
    found: dict[str, LeftOut] = {}
    for trial in plan.trials:
        parts = [part.source for stage in trial.spec.stages for part in stage.data.parts if part.source.without]
        result = ledger.trials[trial.id].result
        if not parts or result is None:
            continue
        for key in result.stages:
            stage = read_or_drop(store, layout.stage_result(key), StageResult, "its conditions are not known")
            for source in parts if stage is not None else ():
                if stage is not None and (count := stage.left_out.get(source_name(source), 0)):
                    found[source_name(source)] = LeftOut(source.declared, " or ".join(source.without), count)
    return tuple(found.values())


def conditions_by_arm(conditions: Sequence[Condition]) -> Mapping[str, Mapping[str, list[str]]]:
    """Regroup conditions: arm -> name of a condition -> the values it ran with."""
    by_arm: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for condition in conditions:
        for value, arms in condition.arms.items():
            for arm in arms:
                by_arm[arm][condition.name].append(value)
    return by_arm


def _digests(plan: Plan, store: Store) -> tuple[DataDigest, ...]:
    """Collect the digests of data and weights that the study reads, as far as an earlier preflight has seen them."""
    known = known_digests(store)
    names = {source_name(benchmark.source) for benchmark in plan.benchmarks}
    for trial in plan.trials:
        names |= set(needed_digests(trial.spec, len(trial.spec.stages) - 1))
    counts = {name: known.counts.get(name, {}) for name in names if name in known.digests}
    return tuple(
        DataDigest(name, known.digests[name], counts[name].get("records"), counts[name].get("images"))
        for name in sorted(counts)
    )
