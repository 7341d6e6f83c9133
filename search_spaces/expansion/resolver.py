"""Turn flat configurations into specifications: look up names in the catalogue and fill in defaults.

Arms share most of their parts, so every part is resolved once and the same object serves all arms that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar, get_args

from search_spaces.catalogue.load import Catalogue
from search_spaces.errors import InputError, Problems, nearest
from search_spaces.expansion.parts import Parts
from search_spaces.expansion.patches import Leaf, Patch, lay, recipe_patch
from search_spaces.expansion.resolve_benchmarks import BenchmarkResolver
from search_spaces.expansion.resolve_data import DataResolver
from search_spaces.expansion.resolve_language import FactsOf, LanguageResolver
from search_spaces.expansion.resolve_stages import StageResolver
from search_spaces.expansion.resolve_vision import EncoderProbe, VisionResolver, unused_pixels
from search_spaces.identity import source_name
from search_spaces.packed_rows import check_rows
from search_spaces.projectors import projector_design
from search_spaces.resources import ArmResources, resolve_resources
from search_spaces.spec import (
    BenchmarkSpec,
    LanguageSpec,
    MixSpec,
    ProjectorSpec,
    SeedSplit,
    SourceSpec,
    StageSpec,
    TokenizerSpec,
    TrialSpec,
    VisionSpec,
)
from search_spaces.study import LanguageChoice, ProjectorChoice, Study, VisionChoice
from search_spaces.yaml_source import KeyPath

_VISION = tuple(f"vision.{name}" for name in VisionChoice.model_fields)
_PROJECTOR = tuple(f"projector.{name}" for name in ProjectorChoice.model_fields)
_LANGUAGE = tuple(f"language.{name}" for name in LanguageChoice.model_fields)


_Part = Literal["vision", "projector", "language", "stages"]
"""Parts of an arm that are made apart."""

_PART_OF: dict[str, _Part] = {
    **dict.fromkeys(_VISION, "vision"),
    **dict.fromkeys(_PROJECTOR, "projector"),
    **dict.fromkeys(_LANGUAGE, "language"),
}
"""Field -> the part that it is of; all others are of the stages."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ResolvedArm:
    """Specification of an arm, but for its seed."""

    template: TrialSpec
    """With seed 0."""
    notes: tuple[str, ...] = ()

    def trial(self, seed: int, split: SeedSplit | None = None) -> TrialSpec:
        """Specify the trial of a replicate.

        Args:
            seed: number of the replicate.
            split: what it draws from; None for the number itself.
        """
        return replace(self.template, seed=seed, split=split)


class Resolver:
    """Lookup of all names of one study; keeps every part that it has resolved, and every error.

    Args:
        study: what a user wrote.
        catalogue: the shipped one with the study's own entries.
        base: the study's base, flat.
        realised: realised counts of prepared sources, in the place of declared ones.
        probe: finds out the facts of encoders that the catalogue does not have; None to refuse them.
        facts: what the configurations of checkpoints on this machine say.
    """

    def __init__(
        self,
        study: Study,
        catalogue: Catalogue,
        base: Patch,
        probe: EncoderProbe | None,
        facts: FactsOf,
    ):
        self._study, self._catalogue, self._base = study, catalogue, base
        self._parts = Parts()
        self._data = data = DataResolver(study, catalogue, self._parts)
        self._encoders = VisionResolver(study, catalogue, probe)
        self._languages = LanguageResolver(study, catalogue, data.source, facts)
        self._stages = StageResolver(study, base, data, self._parts)
        self._evaluations = BenchmarkResolver(study, catalogue, data.source)

    @property
    def base(self) -> Patch:
        """Base with the stages of its recipe; as written, if the recipe is not known."""
        try:
            return self.complete({})
        except InputError:  # reported by `resolve`
            return self._base

    def complete(self, patch: Patch) -> Patch:
        """Lay a patch on the base and the stages of its recipe. Raises InputError for a recipe that is not known."""
        leaf = patch.get("recipe", self._base.get("recipe"))
        recipe = None if leaf is None else leaf.value
        below = self._parts.get(("below", recipe), lambda: self._with_recipe(leaf))
        return lay(below, patch)

    def resolve(self, patch: Patch) -> ResolvedArm:
        """Resolve the arm that differs from the base by `patch`. Raises InputError with all that is wrong with it."""
        complete, own = self.complete(patch), _fields_by_part(patch)

        def part(name: _Part, make: Callable[[Patch], T]) -> T:
            """Make a part of the arm, once for all arms that write the same of it in the same places."""
            return self._parts.get((name, *own[name]), lambda: make(complete))

        problems = Problems()
        vision = problems.attempt(lambda: part("vision", self._vision))
        projector = problems.attempt(lambda: part("projector", self._projector))
        language = problems.attempt(lambda: part("language", self._language))
        stages = problems.attempt(lambda: part("stages", self._stages.resolve))
        problems.raise_all()
        assert vision is not None
        assert projector is not None
        assert language is not None
        assert stages is not None
        self._languages.check_template(language, stages, complete)
        language = self._with_vocabulary(language, stages)
        template = TrialSpec(vision=vision, projector=projector, language=language, stages=stages, seed=0)
        self._check_rows(template, complete)
        notes = self._parts.get(("notes", id(vision)), lambda: tuple(unused_pixels(vision)))
        return ResolvedArm(template, notes)

    @property
    def mixes(self) -> tuple[tuple[MixSpec, KeyPath], ...]:
        """Every mix that was looked up, and where the study writes or names it."""
        return tuple(self._data.mixes)

    def evaluations(self) -> tuple[tuple[BenchmarkSpec, ...], tuple[BenchmarkSpec, ...]]:
        """Look up the study's benchmarks and its samples. Raises InputError with all that is wrong."""
        return self._evaluations.resolve()

    def resources(self, difference: Mapping[str, Any]) -> ArmResources:
        """Resolve the study's resources with an arm's differences. Raises InputError."""
        return self._parts.get(
            ("resources", repr(difference)), lambda: resolve_resources(self._study, self._catalogue, difference)
        )

    def _check_rows(self, template: TrialSpec, patch: Patch) -> None:
        for stage in template.stages:
            try:
                check_rows(template, stage)
            except InputError as error:
                leaf = patch[f"recipe.{stage.name}.packing.tokens"]
                raise self._study.problem(leaf.path, error.law, error.way_out, key=error.key) from error

    def _with_vocabulary(self, language: LanguageSpec, stages: tuple[StageSpec, ...]) -> LanguageSpec:
        """Give a word-level tokenizer without a source those that the base and the arm train on.

        An arm that trains on less than the base has the base's words, so that arms of one study differ in their data
        and not in their vocabulary; one that trains on more has more.
        """
        if language.tokenizer.kind != "words" or language.tokenizer.source is not None:
            return language

        def fitted() -> LanguageSpec:
            base = self._stages.resolve(self.complete({}))
            sources = {source_name(part.source): part.source for stage in (*base, *stages) for part in stage.data.parts}
            names = tuple(sorted(sources))
            return self._parts.get(("vocabulary", id(language), *names), lambda: with_words(sources[n] for n in names))

        def with_words(sources: Iterable[SourceSpec]) -> LanguageSpec:
            tokenizer = TokenizerSpec(kind="words", sources=tuple(sources))
            return language.model_copy(update={"tokenizer": tokenizer})

        mixes = (stage.data for stage in stages)
        return self._parts.get(("fitted", id(language), *map(id, mixes)), fitted)

    def _with_recipe(self, leaf: Leaf | None) -> Patch:
        if leaf is None:
            return self._base
        if leaf.value not in self._catalogue.recipes:
            legal = list(self._catalogue.recipes)
            raise self._study.problem(
                leaf.path,
                f"recipe must be one of {', '.join(legal)}, but got {leaf.value!r}",
                nearest(leaf.value, legal),
            )
        return lay(recipe_patch(leaf.value, self._catalogue, leaf.path), self._base)

    def _vision(self, patch: Patch) -> VisionSpec:
        leaves = {name: patch[name] for name in _VISION if name in patch}
        key = ("vision", *((name, repr(leaf.value)) for name, leaf in leaves.items()))
        return self._parts.get(key, lambda: self._encoders.resolve(leaves))

    def _projector(self, patch: Patch) -> ProjectorSpec:
        leaves = {name: patch[name] for name in _PROJECTOR if name in patch}
        key = ("projector", *((name, repr(leaf.value)) for name, leaf in leaves.items()))
        return self._parts.get(key, lambda: self._make_projector(leaves))

    def _make_projector(self, leaves: Patch) -> ProjectorSpec:
        given = {name.removeprefix("projector."): leaf.value for name, leaf in leaves.items()}
        choice = ProjectorChoice.model_validate(given)
        design = projector_design(choice.kind)
        least, most = design.least, design.most
        depth = design.default if choice.depth is None else choice.depth
        if depth < least or (most is not None and depth > most):
            law = f"exactly {least}" if most == least else f"at least {least}"
            leaf = leaves.get("projector.depth") or leaves["projector.kind"]
            raise self._study.problem(
                leaf.path,
                f"projector.depth, the number of linear layers, must be {law} for {choice.kind}, but got {depth}",
                f"The nearest is {least}." + (" One layer alone is `linear`." if depth == 1 else ""),
            )
        return ProjectorSpec(kind=choice.kind, depth=None if depth == design.default else depth)

    def _language(self, patch: Patch) -> LanguageSpec:
        leaves = {name: patch[name] for name in _LANGUAGE if name in patch}
        key = ("language", *((name, repr(leaf.value)) for name, leaf in leaves.items()))
        return self._parts.get(key, lambda: self._languages.spec(leaves))


def _fields_by_part(patch: Patch) -> dict[_Part, list[tuple[str, str, KeyPath]]]:
    """Sort the fields of a patch, with values and places, by the parts of an arm that follow from them."""
    fields: dict[_Part, list[tuple[str, str, KeyPath]]] = {name: [] for name in get_args(_Part)}
    for field, leaf in patch.items():
        fields[_PART_OF.get(field, "stages")].append((field, repr(leaf.value), leaf.path))
    return fields
