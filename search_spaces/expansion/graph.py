"""Merge the stages of all trials into one graph in which equal work is one node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, assert_never

from search_spaces.expansion.checks import CheckedArm
from search_spaces.expansion.resolver import ResolvedArm
from search_spaces.identity import (
    Memo,
    declared_stage_key,
    features_digests,
    features_key,
    features_node,
    needed_digests,
    source_name,
    stage_key,
)
from search_spaces.plan import Node, PlannedTrial
from search_spaces.quantities import gigabytes, number_of
from search_spaces.spec import BenchmarkSpec, SourceSpec, StageSpec, TrialSpec, VisionSpec
from search_spaces.steps import RealisedCounts, has_approximate_steps, most_images, stage_steps, uncounted_sources

FEATURE_BYTES = 4
"""Of one cached number: features are kept in fp32, so that cached trials see the same bits as others."""


FeaturesChoice = Literal["auto", "cache", "stream"]


@dataclass(frozen=True, slots=True)
class TrialDraft:
    """A trial before its place in the graph is known."""

    id: str
    arm: str
    """Name of the arm."""
    seed: int
    spec: TrialSpec


@dataclass(frozen=True, slots=True)
class _Chain:
    """What the trials of one arm have in common: the sources that an encoder sees, and steps and wants of stages."""

    steps: tuple[int | None, ...]
    """Of each stage; None where its data are not known yet."""
    sources: tuple[tuple[SourceSpec, ...], ...]
    """Of each stage, and then those of the evaluation."""
    missing: tuple[tuple[str, ...], ...]
    """Of each stage: names of digests and counts that its key needs and that are not there."""


class Graph:
    """Nodes of all trials; equal work becomes one node.

    Args:
        digests: content digests by `identity.weights_name` and `identity.source_name`.
        realised: realised counts of prepared sources, in the place of declared ones.
        benchmarks: everything that a trained model is evaluated on, samples among it.
        features: whether the features of frozen encoders are cached.
        budget_bytes: of `features="auto"`: what all caches may take together.
        memo: keeps canonical texts that many keys need.
    """

    def __init__(
        self,
        digests: Mapping[str, str],
        realised: RealisedCounts,
        benchmarks: Sequence[BenchmarkSpec],
        features: FeaturesChoice,
        budget_bytes: int,
        memo: Memo,
    ):
        self._digests, self._realised, self._memo = digests, realised, memo
        self._features, self._budget_left = features, budget_bytes
        self._test_sources = tuple(benchmark.source for benchmark in benchmarks)
        self._nodes: dict[str, Node] = {}
        """Stages and evaluations with the first of their trials: most have no other."""
        self._own_memo = Memo()
        """Keeps what holds for this graph and its digests: another graph of the same trials must not find it."""
        self._feature_nodes: dict[tuple[int, int, int | None], str | None] = {}
        self._features_by_key: dict[str, str] = {}
        """Key of features -> the node that stands for all sources with those pictures."""
        self._stage_steps: dict[int, int | None] = {}
        self._keep: list[object] = []
        """Objects whose ids are keys above."""
        self._streamed: dict[str, dict[str, int | None]] = {}
        """Encoder -> source -> bytes that its features would take."""

    def add(self, arm: CheckedArm, trials: Iterable[TrialDraft]) -> list[PlannedTrial]:
        """Add the nodes of an arm's trials, and lay each trial's path through them."""
        chain = self._chain(arm.resolved)
        return [self._trial(trial, chain) for trial in trials]

    def _trial(self, trial: TrialDraft, chain: _Chain) -> PlannedTrial:
        spec = trial.spec
        features = self._feature_paths(spec, chain)
        path = dict.fromkeys(node for nodes in features for node in nodes)
        after = features[0][-1] if features[0] else None
        for index in range(len(spec.stages)):
            after = self._stage_node(trial, index, chain.steps, after, chain.missing[index])
            path[after] = None
        evaluation = f"evaluation-{trial.id.rpartition('-')[2]}"
        self._nodes[evaluation] = Node(evaluation, "evaluation", None, "evaluate", None, after, (trial.id,))
        path[evaluation] = None
        return PlannedTrial(trial.id, trial.arm, trial.seed, spec, tuple(path))

    def nodes(self, trials: Iterable[PlannedTrial]) -> dict[str, Node]:
        """Return the nodes that these trials need, each with its trials, in the order of first need.

        Args:
            trials: all that were added, or the first so many of them.
        """
        needed: dict[str, Node] = {}
        further: dict[str, list[str]] = {}
        for trial in trials:
            for name in trial.path:
                node = needed.setdefault(name, self._nodes[name])
                if node.trials[:1] != (trial.id,):
                    further.setdefault(name, []).append(trial.id)
        for name, users in further.items():
            needed[name] = replace(needed[name], trials=(*needed[name].trials, *users))
        return needed

    @property
    def notes(self) -> list[str]:
        """Notes on features that are not cached although nothing trains their encoder."""
        return [f"frozen features of {encoder} are not cached: {_sizes(of)}" for encoder, of in self._streamed.items()]

    def _chain(self, arm: ResolvedArm) -> _Chain:
        stages = arm.template.stages
        steps = tuple(self._steps(stage) for stage in stages)
        missing = tuple(self._missing(arm, index, steps[index]) for index in range(len(stages)))
        sources = self._memo.of("sources", (stages,), lambda: self._sources(stages))
        return _Chain(steps, sources, missing)

    def _sources(self, stages: tuple[StageSpec, ...]) -> tuple[tuple[SourceSpec, ...], ...]:
        """List the sources of each stage, and then those of the evaluation; none where the encoder is trained."""
        if any("vision" in stage.trains for stage in stages):
            return ((),) * (len(stages) + 1)
        train = tuple(tuple(part.source for part in stage.data.parts) for stage in stages)
        return (*train, self._test_sources)

    def _steps(self, stage: StageSpec) -> int | None:
        if id(stage) not in self._stage_steps:
            self._keep.append(stage)
            self._stage_steps[id(stage)] = stage_steps(stage, self._realised)
        return self._stage_steps[id(stage)]

    def _missing(self, arm: ResolvedArm, index: int, steps: int | None) -> tuple[str, ...]:
        """Name the digests and counts that the key of a stage needs and that are not known."""
        needed = needed_digests(arm.template, index, self._memo)
        digests = self._own_memo.of("missing", (needed,), lambda: tuple(n for n in needed if n not in self._digests))
        if steps is not None:
            return digests
        uncounted = uncounted_sources(arm.template.stages[index].data, self._realised)
        return (*digests, *(f"counts of {name}" for name in uncounted))

    def _stage_node(
        self,
        trial: TrialDraft,
        index: int,
        steps: tuple[int | None, ...],
        after: str | None,
        missing: tuple[str, ...],
    ) -> str:
        spec = trial.spec
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
                (trial.id,),
                missing,
                approximate=has_approximate_steps(spec.stages[index], self._realised),
            )
        return name

    def _feature_paths(self, spec: TrialSpec, chain: _Chain) -> tuple[tuple[str, ...], ...]:
        """List the nodes of the features that each stage of a trial reads, and then those that its evaluation reads."""
        vision, seed = spec.vision, spec.draws.init

        def make() -> tuple[tuple[str, ...], ...]:
            nodes = [[self._feature_node(vision, source, seed) for source in sources] for sources in chain.sources]
            return tuple(tuple(node for node in each if node is not None) for each in nodes)

        return self._own_memo.of("feature paths", (vision, *chain.sources), make, _seed_of(vision, seed))

    def _feature_node(self, vision: VisionSpec, source: SourceSpec, seed: int) -> str | None:
        known = (id(vision), id(source), _seed_of(vision, seed))
        if known not in self._feature_nodes:
            self._keep += [vision, source]
            self._feature_nodes[known] = self._new_feature_node(vision, source, seed)
        return self._feature_nodes[known]

    def _new_feature_node(self, vision: VisionSpec, source: SourceSpec, seed: int) -> str | None:
        """Add the node of a source's features; None where they are not cached.

        A source with the pictures of an earlier one gets the node of that one.
        """
        key = features_key(vision, source, seed, self._digests)
        name = self._features_by_key.get(key or "", features_node(vision, source, seed))
        if name in self._nodes:
            known = self._nodes[name]
            self._nodes[name] = replace(known, sources=tuple(dict.fromkeys((*known.sources, source_name(source)))))
            return name
        images = most_images(source, self._realised)
        if images == 0:
            return None
        size = None if images is None else images * vision.grid**2 * vision.width * FEATURE_BYTES
        encoder = f"{vision.backbone} {vision.resolution} px"
        if not self._is_cached(encoder, source, size):
            return None
        missing = tuple(name for name in features_digests(vision, source) if name not in self._digests)
        label = f"{encoder} on {source.name}"
        sources = (source_name(source),)
        self._nodes[name] = Node(name, "features", key, label, None, None, (), missing, size, sources)
        if key is not None:
            self._features_by_key[key] = name
        return name

    def _is_cached(self, encoder: str, source: SourceSpec, size: int | None) -> bool:
        """Decide whether features are cached; `auto` takes their size from the budget, or notes that they do not fit.

        Args:
            encoder: as it is called in notes.
            source: whose images they are features of.
            size: of all of them, in bytes; None where nobody has counted the images.
        """
        match self._features:
            case "cache":
                return True
            case "stream":
                return False
            case "auto":
                fits = size is not None and size <= self._budget_left
                if size is not None and fits:
                    self._budget_left -= size
                else:
                    self._streamed.setdefault(encoder, {})[source.name] = size
                return fits
            case unreachable:
                assert_never(unreachable)


def _seed_of(vision: VisionSpec, seed: int) -> int | None:
    """Return the seed that features depend on: that of random weights."""
    return seed if vision.weights == "random" else None


def _sizes(sources: Mapping[str, int | None]) -> str:
    """Say what sources would take together, and how many of them nobody has counted yet."""
    known = [size for size in sources.values() if size is not None]
    parts = [f"{number_of(len(known), 'source')} could take {gigabytes(sum(known))} GB"] if known else []
    unknown = len(sources) - len(known)
    return ", ".join([*parts, *([f"the size of {number_of(unknown, 'source')} is unknown"] if unknown else [])])
