"""From a study to its plan: trials, and the graph of work in which equal work is one node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from search_spaces.catalogue.load import Catalogue, shipped
from search_spaces.claims import legal_on
from search_spaces.errors import InputError, nearest, raise_problems
from search_spaces.expansion.designs import (
    ArmDraft,
    AxisValue,
    Exclusions,
    Fields,
    Patch,
    PatchReader,
    base_patch,
    check_overlaps,
    difference,
    draft_arms,
    read_axes,
    seeds_of,
    stage_names,
)
from search_spaces.expansion.resolve_language import FactsOf
from search_spaces.expansion.resolve_vision import EncoderProbe
from search_spaces.expansion.resolver import ResolvedArm, Resolver
from search_spaces.expansion.toy import toy_arms, toy_benchmarks, toy_resources, toy_samples
from search_spaces.identity import (
    Memo,
    arm_fingerprint,
    benchmark_key,
    declared_stage_key,
    features_digests,
    features_key,
    features_node,
    fingerprint,
    needed_digests,
    stage_key,
    trial_id,
)
from search_spaces.plan import Arm, Exclusion, Node, Plan, PlannedTrial
from search_spaces.resources import ArmResources, check_resources
from search_spaces.sizes import KnownSizes, model_size
from search_spaces.spec import BenchmarkSpec, SourceSpec, TrialSpec, VisionSpec
from search_spaces.steps import RealisedCounts, has_approximate_steps, most_images, uncounted_sources
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath

FEATURE_BYTES = 4
"""Of one cached number: features are kept in fp32, so that cached trials see the same bits as others."""

FEATURES_BUDGET_BYTES = 20_000_000_000
"""Default of `--features-budget`."""

FeaturesChoice = Literal["auto", "cache", "stream"]


@dataclass(frozen=True)
class _CheckedArm:
    draft: ArmDraft
    resolved: ResolvedArm
    resources: ArmResources


@dataclass(frozen=True)
class _CheckedStudy:
    arms: tuple[_CheckedArm, ...]
    benchmarks: tuple[BenchmarkSpec, ...]
    samples: tuple[BenchmarkSpec, ...]
    excluded: tuple[Exclusion, ...]
    base: Patch
    """Complete, with the stages of the recipe."""
    notes: tuple[str, ...]
    sizes: KnownSizes


def plan_study(
    study: Study,
    *,
    digests: Mapping[str, str] | None = None,
    counts: RealisedCounts | None = None,
    limit: int | None = None,
    features_budget_bytes: int = FEATURES_BUDGET_BYTES,
    features: FeaturesChoice = "auto",
    toy: bool = False,
    toy_workers: int | None = None,
    probe: EncoderProbe | None = None,
    language_facts: FactsOf = lambda origin: None,
) -> Plan:
    """Everything that is to be done, before anything is done.

    Args:
        study: what a user wrote.
        digests: content digests by `identity.weights_name` and `identity.source_name`; keys need them.
        counts: realised counts of prepared sources by `identity.source_name`, in the place of declared ones.
        limit: keep the first so many trials in plan order.
        features_budget_bytes: of `features="auto"`: frozen encoders are cached, in plan order, while they fit.
        features: whether the features of frozen encoders are cached.
        toy: every model tiny, all data generated, few steps; the plan's study is then named ``<study>-toy``.
        toy_workers: most workers of a toy trial, where it is to run on a small machine; None for as many as asked.
        probe: finds out the facts of encoders that are neither in the catalogue nor the study's own.
        language_facts: what the configurations of checkpoints on this machine say.

    Raises:
        InputError: all that is wrong with the study's names, values and sizes, together.
    """
    realised: RealisedCounts = counts or {}
    memo = Memo()
    checked = _check(study, realised, memo, probe, language_facts)
    arms, benchmarks, samples, notes = checked.arms, checked.benchmarks, checked.samples, list(checked.notes)
    if toy:
        tiny = toy_arms([arm.resolved for arm in arms], [arm.resources for arm in arms])
        arms = tuple(
            _CheckedArm(arm.draft, resolved, toy_resources(arm.resources, toy_workers))
            for arm, resolved in zip(arms, tiny, strict=True)
        )
        benchmarks, samples = toy_benchmarks(benchmarks), toy_samples(samples)
        notes = ["toy: tiny models, generated data, few steps; its scores mean nothing"]
    graph = _Graph(digests or {}, realised, (*benchmarks, *samples), features, features_budget_bytes, memo)
    trials = [trial for arm in arms for trial in graph.add(arm, seeds_of(study, arm.draft.name))]
    kept = trials[:limit]
    names = {trial.arm for trial in kept}
    return Plan(
        study=f"{study.study}-toy" if toy else study.study,
        question=study.question,
        digest=fingerprint(
            {
                "study": {key: value for key, value in study.document.value.items() if key != "extends"},
                "trials": [trial.id for trial in trials],
            }
        ),
        arms=tuple(_arm(arm, checked, memo) for arm in arms if arm.draft.name in names),
        trials=tuple(kept),
        nodes=graph.nodes(kept),
        benchmarks=benchmarks,
        axes=tuple(study.axes),
        base=next((arm.draft.name for arm in arms if not arm.draft.patch and arm.draft.name in names), None),
        samples=samples,
        benchmark_keys={one.id: benchmark_key(one, digests or {}) for one in (*benchmarks, *samples)},
        excluded=checked.excluded,
        notes=(*notes, *graph.notes),
    )


def _arm(arm: _CheckedArm, checked: _CheckedStudy, memo: Memo) -> Arm:
    return Arm(
        id=arm_fingerprint(arm.resolved.template, memo)[:12],
        name=arm.draft.name,
        difference=difference(checked.base, arm.draft.patch),
        values=arm.draft.values,
        resources=arm.resources.arm,
        note=arm.draft.note,
        stage_resources=arm.resources.stages,
        size=model_size(arm.resolved.template, checked.sizes),
    )


# ---------------------------------------------------------------- checks


def _check(
    study: Study, realised: RealisedCounts, memo: Memo, probe: EncoderProbe | None, facts: FactsOf
) -> _CheckedStudy:
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
    _check_stage_resources(study, catalogue, problems)
    raise_problems(problems)  # what follows would only repeat it

    drafts = draft_arms(study, resolver.base, axes, reader, _ChangesNothing(resolver, base, memo), problems)
    rules = Exclusions.of(study, axes, problems)
    raise_problems(problems)

    arms: list[_CheckedArm] = []
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
    _check_references(study, [draft.name for draft in drafts], excluded, benchmarks, problems)
    _check_distinct(study, arms, memo, problems)
    raise_problems(problems)
    if not arms:
        raise study.problem(("exclude",), "a study must have at least one arm, but all are excluded")
    notes = [note for arm in arms for note in arm.resolved.notes]
    notes += [f"exclude[{number}] fits no arm" for number in range(len(study.exclude)) if number not in used]
    return _CheckedStudy(
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


def _check_arm(study: Study, resolver: Resolver, draft: ArmDraft) -> _CheckedArm:
    resolved = resolver.resolve(draft.patch)
    resources = resolver.resources(draft.resources)
    for stage in resolved.template.stages:
        try:
            check_resources(stage, resources.stages.get(stage.name, resources.arm))
        except InputError as error:
            path: KeyPath = (*draft.path, "resources") if draft.resources else ("resources",)
            raise study.problem(path, error.law, error.way_out) from error
    return _CheckedArm(draft, resolved, resources)


def _check_distinct(study: Study, arms: Sequence[_CheckedArm], memo: Memo, problems: list[InputError]) -> None:
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


def _check_references(
    study: Study,
    arms: Sequence[str],
    excluded: Sequence[Exclusion],
    benchmarks: Sequence[BenchmarkSpec],
    problems: list[InputError],
) -> None:
    """Hypotheses and seeds must speak of arms and benchmarks that are there."""
    legal, out = set(arms), {exclusion.arm for exclusion in excluded}

    def check_arm(name: str, path: KeyPath) -> None:
        if name in out:
            problems.append(study.problem(path, f"must name an arm of the study, but {name!r} is excluded"))
        elif name not in legal:
            shown = ", ".join(arms[:20]) + (", ..." if len(arms) > 20 else "")
            way_out = nearest(name, arms)
            problems.append(study.problem(path, f"must name an arm of the study ({shown}), but got {name!r}", way_out))

    ids = [benchmark.id for benchmark in benchmarks]
    on = legal_on(ids, {**shipped().suites, **study.suites})
    seen: set[str] = set()
    for number, hypothesis in enumerate(study.hypotheses):
        path: KeyPath = ("hypotheses", number)
        if hypothesis.id in seen:
            problems.append(study.problem((*path, "id"), f"ids must differ, but {hypothesis.id!r} is there twice"))
        seen.add(hypothesis.id)
        for row, pair in enumerate(hypothesis.pairs):
            for side, name in enumerate(pair):
                check_arm(name, (*path, "pairs", row, side))
            if pair[0] == pair[1]:
                law = f"a contrast must be of two arms, but both are {pair[0]!r}"
                problems.append(study.problem((*path, "pairs", row), law))
        for row, one in enumerate(hypothesis.on):
            if one not in on:
                law = f"must be all, or a benchmark or suite of the study ({', '.join(on[1:])}), but got {one!r}"
                problems.append(study.problem((*path, "on", row), law, nearest(one, on)))
        if not ids:
            law = "a study with hypotheses must have benchmarks, but it has none"
            problems.append(study.problem(("benchmarks",), law))
    for name, seeds in study.seeds.items():
        if name != "default":
            check_arm(name, ("seeds", name))
        if len(set(seeds)) < len(seeds):
            law = f"the seeds of an arm must differ, but got {', '.join(map(str, seeds))}"
            problems.append(study.problem(("seeds", name), law))
    if "default" not in study.seeds:
        without = [name for name in arms if name not in study.seeds and name not in out]
        if without:
            law = f"every arm must have seeds, but {without[0]!r} has none"
            problems.append(study.problem(("seeds",), law, "Add `default`."))


def _check_stage_resources(study: Study, catalogue: Catalogue, problems: list[InputError]) -> None:
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


# ---------------------------------------------------------------- graph


@dataclass(frozen=True)
class _Chain:
    """What the trials of one arm have in common: the sources that an encoder sees, and the stages' wants."""

    train_sources: tuple[tuple[SourceSpec, ...], ...]
    """Of each stage."""
    test_sources: tuple[SourceSpec, ...]
    missing: tuple[tuple[str, ...], ...]
    """Of each stage: names of digests and counts that its key needs and that are not there."""


class _Graph:
    """Collects the nodes of all trials; equal work becomes one node."""

    def __init__(
        self,
        digests: Mapping[str, str],
        realised: RealisedCounts,
        benchmarks: Sequence[BenchmarkSpec],
        features: FeaturesChoice,
        budget_bytes: int,
        memo: Memo,
    ):
        self._digests, self._realised, self._benchmarks, self._memo = digests, realised, benchmarks, memo
        self._features, self._budget_left = features, budget_bytes
        self._nodes: dict[str, Node] = {}
        self._feature_nodes: dict[tuple[int, int, int | None], str | None] = {}
        self._keep: list[object] = []
        """Objects whose ids are keys above."""
        self._streamed: dict[str, dict[str, int | None]] = {}
        """Encoder -> source -> bytes that its features would take."""

    def add(self, arm: _CheckedArm, seeds: Iterable[int]) -> list[PlannedTrial]:
        """The trials of an arm; their nodes are there from then on."""
        chain = self._chain(arm.resolved)
        return [self._trial(arm, chain, seed) for seed in seeds]

    def _trial(self, arm: _CheckedArm, chain: _Chain, seed: int) -> PlannedTrial:
        spec = arm.resolved.trial(seed)
        name = trial_id(spec, arm.draft.name, self._memo)
        of_stage = [self._feature_path(spec, sources) for sources in chain.train_sources]
        path = dict.fromkeys(
            node for nodes in (*of_stage, self._feature_path(spec, chain.test_sources)) for node in nodes
        )
        after = of_stage[0][-1] if of_stage[0] else None
        for index in range(len(spec.stages)):
            after = self._stage_node(spec, index, arm.resolved.steps, after, chain.missing[index])
            path[after] = None
        evaluation = f"evaluation-{name.rpartition('-')[2]}"
        self._nodes[evaluation] = Node(evaluation, "evaluation", None, "evaluate", None, after, ())
        path[evaluation] = None
        return PlannedTrial(name, arm.draft.name, seed, spec, tuple(path))

    def nodes(self, trials: Iterable[PlannedTrial]) -> dict[str, Node]:
        """The nodes that these trials need, each with its trials, in the order of first need."""
        users: dict[str, list[str]] = {}
        for trial in trials:
            for node in trial.path:
                users.setdefault(node, []).append(trial.id)
        return {name: _with_trials(self._nodes[name], tuple(names)) for name, names in users.items()}

    @property
    def notes(self) -> list[str]:
        """What is not cached although nothing trains it, and why."""
        return [f"frozen features of {encoder} are not cached: {_sizes(of)}" for encoder, of in self._streamed.items()]

    def _chain(self, arm: ResolvedArm) -> _Chain:
        template, steps = arm.template, arm.steps
        if any("vision" in stage.trains for stage in template.stages) or self._features == "stream":
            train: tuple[tuple[SourceSpec, ...], ...] = tuple(() for _ in template.stages)
            test: tuple[SourceSpec, ...] = ()
        else:
            train = tuple(tuple(part.source for part in stage.data.parts) for stage in template.stages)
            test = tuple(benchmark.source for benchmark in self._benchmarks)
        missing = []
        for index, stage in enumerate(template.stages):
            wanted = [name for name in needed_digests(template, index) if name not in self._digests]
            if steps[index] is None:
                wanted += [f"counts of {name}" for name in uncounted_sources(stage.data, self._realised)]
            missing.append(tuple(wanted))
        return _Chain(train, test, tuple(missing))

    def _stage_node(
        self,
        spec: TrialSpec,
        index: int,
        steps: tuple[int | None, ...],
        after: str | None,
        missing: tuple[str, ...],
    ) -> str:
        name = f"stage-{declared_stage_key(spec, index, steps, self._memo)[:12]}"
        if name not in self._nodes:
            key = None if missing else stage_key(spec, index, steps, self._digests, self._memo)
            self._nodes[name] = Node(
                name,
                "stage",
                key,
                spec.stages[index].name,
                steps[index],
                after,
                (),
                missing,
                approximate=has_approximate_steps(spec.stages[index], self._realised),
            )
        return name

    def _feature_path(self, spec: TrialSpec, sources: Iterable[SourceSpec]) -> list[str]:
        nodes = (self._feature_node(spec.vision, source, spec.seed) for source in sources)
        return [node for node in nodes if node is not None]

    def _feature_node(self, vision: VisionSpec, source: SourceSpec, seed: int) -> str | None:
        known = (id(vision), id(source), seed if vision.weights == "random" else None)
        if known not in self._feature_nodes:
            self._keep += [vision, source]
            self._feature_nodes[known] = self._new_feature_node(vision, source, seed)
        return self._feature_nodes[known]

    def _new_feature_node(self, vision: VisionSpec, source: SourceSpec, seed: int) -> str | None:
        """The node of a source's features, or None where they are not cached."""
        name = features_node(vision, source, seed)
        if name in self._nodes:
            return name
        images = most_images(source, self._realised)
        if images == 0:
            return None
        size = None if images is None else images * vision.grid**2 * vision.width * FEATURE_BYTES
        encoder = f"{vision.backbone} {vision.resolution} px"
        if self._features == "auto":
            if size is None or size > self._budget_left:
                self._streamed.setdefault(encoder, {})[source.name] = size
                return None
            self._budget_left -= size
        missing = tuple(one for one in features_digests(vision, source) if one not in self._digests)
        key = features_key(vision, source, seed, self._digests)
        self._nodes[name] = Node(name, "features", key, f"{encoder} on {source.name}", None, None, (), missing, size)
        return name


def _sizes(sources: Mapping[str, int | None]) -> str:
    """What sources would take together, and how many of them nobody has counted yet."""
    known = [size for size in sources.values() if size is not None]
    parts = [f"{_count(len(known))} could take {sum(known) / 1e9:,.1f} GB"] if known else []
    unknown = len(sources) - len(known)
    return ", ".join([*parts, *([f"the size of {_count(unknown)} is unknown"] if unknown else [])])


def _count(sources: int) -> str:
    return f"{sources} source{'' if sources == 1 else 's'}"


def _with_trials(node: Node, trials: tuple[str, ...]) -> Node:
    return replace(node, trials=trials)
