"""Check the arms of a study before they become trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.catalogue.load import Catalogue, shipped
from search_spaces.errors import InputError, nearest, raise_problems
from search_spaces.expansion.axes import AxisValue, check_overlaps, read_axes
from search_spaces.expansion.designs import ArmDraft, draft_arms
from search_spaces.expansion.exclusions import Exclusions
from search_spaces.expansion.fields import Fields, stage_names
from search_spaces.expansion.patches import Patch
from search_spaces.expansion.references import check_references
from search_spaces.expansion.resolve_language import FactsOf
from search_spaces.expansion.resolve_vision import EncoderProbe
from search_spaces.expansion.resolver import ResolvedArm, Resolver
from search_spaces.expansion.study_reader import PatchReader, base_patch
from search_spaces.identity import (
    Memo,
    arm_fingerprint,
)
from search_spaces.plan import Exclusion
from search_spaces.resources import ArmResources, check_resources
from search_spaces.sizes import KnownSizes
from search_spaces.spec import BenchmarkSpec
from search_spaces.steps import RealisedCounts
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath


@dataclass(frozen=True)
class CheckedArm:
    draft: ArmDraft
    resolved: ResolvedArm
    resources: ArmResources


@dataclass(frozen=True)
class CheckedStudy:
    arms: tuple[CheckedArm, ...]
    benchmarks: tuple[BenchmarkSpec, ...]
    samples: tuple[BenchmarkSpec, ...]
    excluded: tuple[Exclusion, ...]
    base: Patch
    """Complete, with the stages of the recipe."""
    notes: tuple[str, ...]
    sizes: KnownSizes


def check_study(
    study: Study, realised: RealisedCounts, memo: Memo, probe: EncoderProbe | None, facts: FactsOf
) -> CheckedStudy:
    """The arms with their names looked up. Raises InputError with everything that can be found wrong at once."""
    catalogue = shipped().with_own(
        encoders=study.backbones,
        languages=study.languages,
        sources=study.sources,
        mixes=study.mixes,
        suites=study.suites,
    )
    problems: list[InputError] = []
    reader = PatchReader(study, Fields.of(stage_names(study, catalogue)), problems)
    resolver = Resolver(study, catalogue, base_patch(study, reader), realised, probe, facts)
    benchmarks: tuple[BenchmarkSpec, ...] = ()
    samples: tuple[BenchmarkSpec, ...] = ()
    base: ResolvedArm | None = None
    try:
        benchmarks, samples = resolver.asked()
    except InputError as error:
        problems.append(error)
    try:
        base = resolver.resolve({})
    except InputError as error:
        problems.append(error)
    axes = read_axes(study, resolver.base, reader, problems)
    check_overlaps(study, axes, problems)
    check_stage_resources(study, catalogue, problems)
    raise_problems(problems)  # what follows would only repeat it

    drafts = draft_arms(study, resolver.base, axes, reader, _ChangesNothing(resolver, base, memo), problems)
    rules = Exclusions.of(study, axes, problems)
    raise_problems(problems)

    arms: list[CheckedArm] = []
    excluded: list[Exclusion] = []
    used: set[int] = set()
    for draft in drafts:
        rule = rules.match(draft.values)
        if rule is not None:
            used.add(rule)
            excluded.append(Exclusion(draft.name, study.exclude[rule].reason))
            continue
        try:
            arms.append(_check_arm(study, resolver, draft))
        except InputError as error:
            problems.append(error)
    check_references(study, [draft.name for draft in drafts], excluded, benchmarks, problems)
    check_distinct(study, arms, memo, problems)
    raise_problems(problems)
    if not arms:
        raise study.problem(("exclude",), "a study must have at least one arm, but all are excluded")
    notes = [note for arm in arms for note in arm.resolved.notes]
    notes += [f"exclude[{number}] fits no arm" for number in range(len(study.exclude)) if number not in used]
    return CheckedStudy(
        tuple(arms),
        benchmarks,
        samples,
        tuple(excluded),
        resolver.complete({}),
        tuple(dict.fromkeys(notes)),
        catalogue.known_sizes(),
    )


@dataclass(frozen=True)
class _ChangesNothing:
    """Whether a value of an axis is the base's own, once names are looked up and defaults filled in."""

    resolver: Resolver
    base: ResolvedArm | None
    memo: Memo

    def __call__(self, value: AxisValue) -> bool:
        if self.base is None:
            return False
        try:
            resolved = self.resolver.resolve(value.patch)
        except InputError:  # not the base's own, then; if an arm has this value, the arm reports it
            return False
        return arm_fingerprint(resolved.template, self.memo) == arm_fingerprint(self.base.template, self.memo)


def _check_arm(study: Study, resolver: Resolver, draft: ArmDraft) -> CheckedArm:
    resolved = resolver.resolve(draft.patch)
    resources = resolver.resources(draft.resources)
    for stage in resolved.template.stages:
        try:
            check_resources(stage, resources.stages.get(stage.name, resources.arm))
        except InputError as error:
            path: KeyPath = (*draft.path, "resources") if draft.resources else ("resources",)
            raise study.problem(path, error.law, error.way_out) from error
    return CheckedArm(draft, resolved, resources)


def check_distinct(study: Study, arms: Sequence[CheckedArm], memo: Memo, problems: list[InputError]) -> None:
    """Two arms with one name would be one row of a table, two with one specification one row under two names."""
    names: dict[str, ArmDraft] = {}
    specs: dict[str, ArmDraft] = {}
    for arm in arms:
        draft = arm.draft
        if draft.name in names:
            law = f"the names of arms must differ, but {draft.name!r} is there twice"
            problems.append(study.problem(draft.path, law))
        first = specs.setdefault(arm_fingerprint(arm.resolved.template, memo), draft)
        if first is not draft and draft.name not in names:
            problems.append(
                study.problem(
                    draft.path,
                    f"two arms must not have one specification, but {first.name!r} and {draft.name!r} have",
                    "Remove one of them, or `exclude` it.",
                )
            )
        names[draft.name] = draft


def check_stage_resources(study: Study, catalogue: Catalogue, problems: list[InputError]) -> None:
    legal = stage_names(study, catalogue)
    blocks: list[tuple[KeyPath, Mapping[str, Any]]] = [(("resources", "stages"), study.resources.stages)]
    for name, entry in study.arms.items():
        resources = entry.get("resources")
        stages = resources.get("stages") if isinstance(resources, dict) else None
        if isinstance(stages, dict):
            blocks.append((("arms", name, "resources", "stages"), stages))
    for path, block in blocks:
        for stage in block:
            if stage not in legal:
                law = f"must be a stage ({', '.join(legal)}), but got {stage!r}"
                problems.append(study.problem((*path, stage), law, nearest(stage, legal)))
