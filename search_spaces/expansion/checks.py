"""Check the arms of a study before they become trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from search_spaces.catalogue.load import Catalogue, shipped
from search_spaces.errors import InputError, nearest
from search_spaces.expansion.axes import AxisValue, overlap_problems, read_axes
from search_spaces.expansion.designs import ArmDraft, draft_arms
from search_spaces.expansion.exclusions import Exclusions, read_exclusions
from search_spaces.expansion.fields import Fields, stage_names
from search_spaces.expansion.patches import Patch
from search_spaces.expansion.references import References
from search_spaces.expansion.resolve_language import FactsOf, LanguageFacts
from search_spaces.expansion.resolve_vision import EncoderProbe
from search_spaces.expansion.resolver import ResolvedArm, Resolver
from search_spaces.expansion.study_reader import StudyReader, base_patch
from search_spaces.identity import Memo, arm_fingerprint
from search_spaces.packed_rows import check_padding
from search_spaces.plan import Exclusion
from search_spaces.resources import ArmResources, check_resources
from search_spaces.sizes import KnownSizes, LanguageShape
from search_spaces.spec import BenchmarkSpec, MixSpec
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath


@dataclass(frozen=True, slots=True)
class CheckedArm:
    """An arm whose names were looked up and whose resources can train it."""

    draft: ArmDraft
    resolved: ResolvedArm
    resources: ArmResources
    fingerprint: str
    """Identity by declared names, without seeds (`identity.arm_fingerprint`)."""


@dataclass(frozen=True)
class CheckedStudy:
    """Everything of a study that the plan is made of, free of problems."""

    arms: tuple[CheckedArm, ...]
    benchmarks: tuple[BenchmarkSpec, ...]
    samples: tuple[BenchmarkSpec, ...]
    excluded: tuple[Exclusion, ...]
    base: Patch
    """Complete, with the stages of the recipe."""
    notes: tuple[str, ...]
    sizes: KnownSizes
    mixes: tuple[tuple[MixSpec, KeyPath], ...]
    """Every mix, and where the study writes or names it: the place of what is wrong once its sources are counted."""


def check_study(study: Study, memo: Memo, probe: EncoderProbe | None, facts: FactsOf) -> CheckedStudy:
    """Look up the names of a study and check all of its arms.

    Args:
        study: what a user wrote.
        memo: keeps canonical texts that the keys of the plan need again.
        probe: finds out the facts of encoders that are neither in the catalogue nor the study's own.
        facts: what the configurations of checkpoints on this machine say.

    Raises:
        InputError: everything that can be found wrong at once, together.
    """
    catalogue = shipped().with_own(
        encoders=study.backbones,
        languages=study.languages,
        sources=study.sources,
        mixes=study.mixes,
        suites=study.suites,
    )
    reader = StudyReader(study, Fields.of(stage_names(study, catalogue)))
    problems = reader.problems
    shapes: dict[str, LanguageShape] = {}
    resolver = Resolver(study, catalogue, base_patch(reader), probe, _keeping_shapes(facts, shapes))
    benchmarks, samples = problems.attempt(resolver.evaluations) or ((), ())
    base = problems.attempt(lambda: resolver.resolve({}))
    axes = read_axes(reader, resolver.base)
    problems.extend(overlap_problems(study, axes))
    problems.extend(_stage_name_problems(study, catalogue))
    problems.raise_all()  # what follows would only repeat it

    drafts = draft_arms(reader, resolver.base, axes, _ChangesNothing(resolver, base, memo))
    exclusions = read_exclusions(reader, axes)
    problems.raise_all()

    kept, excluded, unused = _split(study, drafts, exclusions)
    attempts = [problems.attempt(partial(_check_arm, study, resolver, memo, draft)) for draft in kept]
    arms = tuple(arm for arm in attempts if arm is not None)
    names = [draft.name for draft in drafts]
    ids = [benchmark.id for benchmark in benchmarks]
    resamples = any(s.data.resample == "per-seed" for arm in arms for s in arm.resolved.template.stages)
    absent = {exclusion.arm for exclusion in excluded}
    problems.extend(References(study, names, absent, ids, resamples).problems())
    problems.extend(_repetition_problems(study, arms))
    problems.raise_all()
    if not arms:
        raise study.problem(("exclude",), "a study must have at least one arm, but all are excluded")
    notes = [*(note for arm in arms for note in arm.resolved.notes), *unused]
    return CheckedStudy(
        arms=arms,
        benchmarks=benchmarks,
        samples=samples,
        excluded=excluded,
        base=resolver.complete({}),
        notes=tuple(dict.fromkeys(notes)),
        sizes=catalogue.known_sizes().with_checkpoints(shapes),
        mixes=resolver.mixes,
    )


def _keeping_shapes(facts: FactsOf, shapes: dict[str, LanguageShape]) -> FactsOf:
    """Keep the shapes of the checkpoints that are asked about."""

    def kept(origin: str) -> LanguageFacts | None:
        found = facts(origin)
        if found is not None and found.shape is not None:
            shapes[origin] = found.shape
        return found

    return kept


def _split(
    study: Study, drafts: Sequence[ArmDraft], exclusions: Exclusions
) -> tuple[list[ArmDraft], tuple[Exclusion, ...], list[str]]:
    """Split arms into those that are kept and those that are excluded, with a note for each unused exclusion."""
    kept: list[ArmDraft] = []
    excluded: list[Exclusion] = []
    used: set[int] = set()
    for draft in drafts:
        rule = exclusions.match(draft.values)
        if rule is None:
            kept.append(draft)
        else:
            used.add(rule)
            excluded.append(Exclusion(draft.name, study.exclude[rule].reason))
    unused = [f"exclude[{number}] fits no arm" for number in range(len(study.exclude)) if number not in used]
    return kept, tuple(excluded), unused


@dataclass(frozen=True)
class _ChangesNothing:
    """Test whether a value of an axis is the base's own, once names are looked up and defaults filled in."""

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


def _check_arm(study: Study, resolver: Resolver, memo: Memo, draft: ArmDraft) -> CheckedArm:
    resolved = resolver.resolve(draft.patch)
    resources = resolver.resources(draft.resources)
    for stage in resolved.template.stages:
        try:
            check_resources(stage, resources.of(stage.name))
            check_padding(resolved.template, resources.of(stage.name))
        except InputError as error:
            path: KeyPath = (*draft.path, "resources") if draft.resources else ("resources",)
            raise study.problem(path, error.law, error.way_out) from error
    return CheckedArm(draft, resolved, resources, arm_fingerprint(resolved.template, memo))


def _repetition_problems(study: Study, arms: Sequence[CheckedArm]) -> Iterator[InputError]:
    """Find arms with one name (one row of a table) or with one specification (one row under two names)."""
    names: set[str] = set()
    first_of: dict[str, ArmDraft] = {}
    for arm in arms:
        draft = arm.draft
        if draft.name in names:
            yield study.problem(draft.path, f"the names of arms must differ, but {draft.name!r} is there twice")
        first = first_of.setdefault(arm.fingerprint, draft)
        if first is not draft and draft.name not in names:
            yield study.problem(
                draft.path,
                f"two arms must not have one specification, but {first.name!r} and {draft.name!r} have",
                "Remove one of them, or `exclude` it.",
            )
        names.add(draft.name)


def _stage_name_problems(study: Study, catalogue: Catalogue) -> Iterator[InputError]:
    """Find resources of stages that no recipe in reach of the study defines."""
    legal = stage_names(study, catalogue)
    for path, stages in _stage_resources(study):
        for stage in stages:
            if stage not in legal:
                law = f"must be a stage ({', '.join(legal)}), but got {stage!r}"
                yield study.problem((*path, stage), law, nearest(stage, legal))


def _stage_resources(study: Study) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """List the `stages` blocks of the study's resources and of those of named arms, with their places."""
    yield ("resources", "stages"), study.resources.stages
    for name, entry in study.arms.items():
        resources = entry.get("resources")
        stages = resources.get("stages") if isinstance(resources, dict) else None
        if isinstance(stages, dict):
            yield ("arms", name, "resources", "stages"), stages
