"""Compare two studies: base and other fields, arms, seeds, benchmarks, claims, and the stages that one has alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from search_spaces.plan import Plan
from search_spaces.study import Study
from search_spaces.yaml_source import Document, key_text, leaves

_TOLD_OTHERWISE = frozenset(
    ("extends", "axes", "arms", "design", "exclude", "zip", "seeds", "benchmarks", "hypotheses")
)
"""Keys of a study whose changes show in its arms, seeds, benchmarks and claims."""


@dataclass(frozen=True)
class Change:
    """A value that two studies have differently; None where one of them has none."""

    name: str
    first: Any
    second: Any


@dataclass(frozen=True)
class StudyDifference:
    """In what the second of two studies differs from the first."""

    fields: tuple[Change, ...]
    """Of base, recipe, sources and all else that is written in the file, by dotted path."""
    arms_added: tuple[str, ...]
    arms_removed: tuple[str, ...]
    arms_renamed: tuple[Change, ...]
    """The same model under another name."""
    arms_changed: tuple[str, ...]
    """Another model under the same name."""
    seeds: tuple[Change, ...]
    """By arm, of arms that both have; `all arms` where it is the same change for each."""
    benchmarks: tuple[Change, ...]
    """Added, removed, or asked in another way."""
    claims: tuple[Change, ...]
    """Added, removed or changed, by id: those of their fields that differ."""
    new_stages: tuple[str, ...]
    """Ids of stages that the second has and the first has not."""

    @property
    def is_empty(self) -> bool:
        """Whether both are the same study, names of the study aside."""
        return not any(asdict(self).values())


def compare_studies(first: tuple[Study, Plan], second: tuple[Study, Plan]) -> StudyDifference:
    """Compare two studies, each with its plan on the same storage."""
    (old, old_plan), (new, new_plan) = first, second
    old_arms, new_arms = ({arm.name: arm.id for arm in plan.arms} for plan in (old_plan, new_plan))
    added = [name for name in new_arms if name not in old_arms]
    removed = [name for name in old_arms if name not in new_arms]
    added_by_id = {new_arms[name]: name for name in added}
    renamed = [Change(name, name, added_by_id[old_arms[name]]) for name in removed if old_arms[name] in added_by_id]
    from_names, to_names = ({change.first for change in renamed}, {change.second for change in renamed})
    old_stages = set(_stages(old_plan))
    return StudyDifference(
        fields=tuple(_changes(_fields(old.document), _fields(new.document))),
        arms_added=tuple(name for name in added if name not in to_names),
        arms_removed=tuple(name for name in removed if name not in from_names),
        arms_renamed=tuple(renamed),
        arms_changed=tuple(name for name in new_arms if old_arms.get(name, new_arms[name]) != new_arms[name]),
        seeds=tuple(_seeds(old_plan, new_plan)),
        benchmarks=tuple(_changes(_benchmarks(old_plan), _benchmarks(new_plan))),
        claims=tuple(_claims(old, new)),
        new_stages=tuple(node for node in _stages(new_plan) if node not in old_stages),
    )


def study_difference_json(difference: StudyDifference) -> dict[str, Any]:
    """Turn a difference into plain values."""
    return asdict(difference)


def _fields(document: Document) -> dict[str, Any]:
    return {
        key_text(path): value
        for path, value in leaves(document.value)
        if path and path[0] not in _TOLD_OTHERWISE and path[0] != "study"
    }


def _benchmarks(plan: Plan) -> dict[str, Any]:
    return {each.id: each.model_dump(mode="json", exclude_defaults=True) for each in plan.benchmarks}


def _stages(plan: Plan) -> list[str]:
    return [node.id for node in plan.nodes.values() if node.kind == "stage"]


def _changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterable[Change]:
    for name in dict.fromkeys((*first, *second)):
        if first.get(name) != second.get(name):
            yield Change(name, first.get(name), second.get(name))


def _seeds(first: Plan, second: Plan) -> list[Change]:
    old, new = first.seeds_by_arm(), second.seeds_by_arm()
    both = [Change(arm, list(old[arm]), list(new[arm])) for arm in old if arm in new]
    changed = [change for change in both if change.first != change.second]
    alike = {(tuple(change.first), tuple(change.second)) for change in changed}
    if len(alike) == 1 and len(changed) == len(both):
        return [Change("all arms", changed[0].first, changed[0].second)]
    return changed


def _claims(first: Study, second: Study) -> Iterable[Change]:
    old, new = ({each.id: each.model_dump(mode="json") for each in study.hypotheses} for study in (first, second))
    for change in _changes(old, new):
        if change.first is None or change.second is None:
            yield change
            continue
        differing = [name for name in change.first if change.first[name] != change.second[name]]
        kept = [{name: claim[name] for name in differing} for claim in (change.first, change.second)]
        yield Change(change.name, *kept)
