"""From names to specifications: a flat configuration is looked up in the catalogue and its defaults are filled in.

Arms share most of their parts, so every part is resolved once and the same object serves all arms that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from search_spaces.catalogue.entries import BenchmarkChoice, MixEntry
from search_spaces.catalogue.load import Catalogue
from search_spaces.errors import InputError, Problems, nearest, raise_problems
from search_spaces.expansion.patches import Leaf, Patch, field_problem, lay, recipe_patch
from search_spaces.expansion.resolve_language import FactsOf, LanguageLookup
from search_spaces.expansion.resolve_vision import EncoderProbe, VisionResolver, unused_pixels
from search_spaces.projectors import projector_design
from search_spaces.resources import ArmResources, resolve_resources
from search_spaces.spec import (
    BenchmarkSpec,
    LanguageSpec,
    MixPart,
    MixSpec,
    ProjectorSpec,
    SourceSpec,
    StageSpec,
    TrialSpec,
    VisionSpec,
)
from search_spaces.steps import TEXT_ONLY, RealisedCounts, mix_modalities, stage_steps
from search_spaces.study import LanguageChoice, ProjectorChoice, Study, VisionChoice
from search_spaces.yaml_source import KeyPath, show

T = TypeVar("T")

_VISION = tuple(f"vision.{name}" for name in VisionChoice.model_fields)
_PROJECTOR = tuple(f"projector.{name}" for name in ProjectorChoice.model_fields)
_LANGUAGE = tuple(f"language.{name}" for name in LanguageChoice.model_fields)

_SCALES = "optimizer.lr_scale."


@dataclass(frozen=True)
class ResolvedArm:
    """What an arm is, but for its seed."""

    template: TrialSpec
    """With seed 0."""
    steps: tuple[int | None, ...]
    """Of each stage; None where its data are not known yet."""
    notes: tuple[str, ...] = ()

    def trial(self, seed: int) -> TrialSpec:
        return self.template.model_copy(update={"seed": seed})


class Resolver:
    """Looks up the names of one study; keeps every part that it has resolved, and every error."""

    def __init__(
        self,
        study: Study,
        catalogue: Catalogue,
        base: Patch,
        realised: RealisedCounts,
        probe: EncoderProbe | None,
        facts: FactsOf,
    ):
        self._study, self._catalogue, self._base, self._realised = study, catalogue, base, realised
        self._encoders = VisionResolver(study, catalogue, probe)
        self._languages = LanguageLookup(study, catalogue, self.source, facts)
        self._parts: dict[tuple[object, ...], Any] = {}

    @property
    def base(self) -> Patch:
        """The base with the stages of its recipe; as written, if the recipe is not known."""
        try:
            return self.complete({})
        except InputError:  # reported by `resolve`
            return self._base

    def complete(self, patch: Patch) -> Patch:
        """The base with the stages of the recipe below it and a patch on top. Raises InputError for another recipe."""
        leaf = patch.get("recipe", self._base.get("recipe"))
        recipe = None if leaf is None else leaf.value
        below = self._part(("below", recipe), lambda: self._with_recipe(leaf))
        return lay(below, patch)

    def resolve(self, patch: Patch) -> ResolvedArm:
        """The arm that differs from the base by `patch`. Raises InputError with all that is wrong with it."""
        return self._resolve(self.complete(patch))

    def resources(self, difference: Mapping[str, Any]) -> ArmResources:
        """The study's resources with an arm's differences."""
        return self._part(
            ("resources", repr(difference)), lambda: resolve_resources(self._study, self._catalogue, difference)
        )

    def _resolve(self, patch: Patch) -> ResolvedArm:
        problems = Problems()
        vision = problems.attempt(lambda: self._vision(patch))
        projector = problems.attempt(lambda: self._projector(patch))
        language = problems.attempt(lambda: self._language(patch))
        stages = problems.attempt(lambda: self._stages(patch))
        problems.raise_all()
        assert vision is not None
        assert projector is not None
        assert language is not None
        assert stages is not None
        self._languages.check_template(language, stages, patch)
        template = TrialSpec(vision=vision, projector=projector, language=language, stages=stages, seed=0)
        steps = tuple(self._steps(stage, patch) for stage in stages)
        notes = self._part(("notes", id(vision)), lambda: tuple(unused_pixels(vision)))
        return ResolvedArm(template, steps, notes)

    def _part(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        if key not in self._parts:
            try:
                self._parts[key] = make()
            except InputError as error:
                self._parts[key] = error
        part = self._parts[key]
        if isinstance(part, InputError):
            raise part
        return part  # type: ignore[no-any-return]

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

    # ------------------------------------------------------------ vision and projector

    def _vision(self, patch: Patch) -> VisionSpec:
        leaves = {name: patch[name] for name in _VISION if name in patch}
        key = ("vision", *((name, repr(leaf.value)) for name, leaf in leaves.items()))
        return self._part(key, lambda: self._encoders.resolve(leaves))

    def _projector(self, patch: Patch) -> ProjectorSpec:
        leaves = {name: patch[name] for name in _PROJECTOR if name in patch}
        key = ("projector", *((name, repr(leaf.value)) for name, leaf in leaves.items()))
        return self._part(key, lambda: self._make_projector(leaves))

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

    # ------------------------------------------------------------ language

    def _language(self, patch: Patch) -> LanguageSpec:
        leaves = {name: patch[name] for name in _LANGUAGE if name in patch}
        key = ("language", *((name, repr(leaf.value)) for name, leaf in leaves.items()))
        return self._part(key, lambda: self._languages.spec(leaves))

    # ------------------------------------------------------------ stages and data

    def _stages(self, patch: Patch) -> tuple[StageSpec, ...]:
        leaf = patch["stages"]
        if len(set(leaf.value)) < len(leaf.value):
            raise self._study.problem(leaf.path, f"stages must differ, but got {show(leaf.value)}")
        problems, stages = [], []
        for number, name in enumerate(leaf.value):
            prefix = f"recipe.{name}."
            own = {path.removeprefix(prefix): one for path, one in patch.items() if path.startswith(prefix)}
            if not own:
                legal = list(dict.fromkeys(path.split(".")[1] for path in patch if path.startswith("recipe.")))
                law = f"must be stages of the recipe ({', '.join(legal)}), but got {name!r}"
                problems.append(self._study.problem((*leaf.path, number), law, nearest(name, legal)))
                continue
            horizon: Patch = {}
            if number == len(leaf.value) - 1:
                horizon = {name: patch[name] for name in ("epochs", "max_steps") if name in patch}
                horizon = {name: one for name, one in horizon.items() if one.value is not None}
            if "data" not in own and "data" in patch:
                own["data"] = patch["data"]
            fields = lay(own, horizon)
            key = ("stage", name, *((field, repr(one.value)) for field, one in fields.items()))
            try:
                stages.append(self._part(key, partial(self._make_stage, name, fields)))
            except InputError as error:
                problems.append(error)
        raise_problems(problems)
        return tuple(stages)

    def _make_stage(self, name: str, fields: Patch) -> StageSpec:
        at = self._base["stages"].path
        plain: dict[str, Any] = {"name": name}
        for dotted, one in fields.items():
            outer, _, inner = dotted.partition(".")
            if dotted.startswith(_SCALES):
                if one.value != 1:  # a factor of 1 is none
                    scales = plain.setdefault("optimizer", {}).setdefault("lr_scale", {})
                    scales[dotted.removeprefix(_SCALES)] = one.value
            elif inner:
                plain.setdefault(outer, {})[inner] = one.value
            elif outer != "data" and one.value is not None:
                plain[outer] = one.value
        missing = [field for field in ("trains", "global_batch") if field not in plain]
        missing += [] if "lr" in plain.get("optimizer", {}) else ["optimizer.lr"]
        missing += [] if fields.get("data", Leaf(None, ())).value is not None else ["data"]
        missing += [] if {"epochs", "max_steps"} & plain.keys() else ["epochs or max_steps"]
        if missing:
            raise self._study.problem(at, f"the stage {name!r} must have {', '.join(missing)}", key=f"recipe.{name}")
        plain["data"] = self._mix(fields["data"])
        schedule = plain.get("schedule", {})
        if schedule.get("warmup_steps") is not None and schedule.get("warmup_ratio") is not None:
            raise self._study.problem(
                fields["schedule.warmup_steps"].path,
                "`warmup_steps` and `warmup_ratio` must not both be given",
                key=f"recipe.{name}.schedule",
            )
        lora = plain.pop("lora", {})
        if lora.get("rank") is not None:
            if "language" not in plain["trains"]:
                raise self._study.problem(
                    fields["lora.rank"].path,
                    f"`lora` must stand at a stage that trains the language model, but {name!r} trains"
                    f" {', '.join(plain['trains'])}",
                    key=f"recipe.{name}.lora",
                    way_out=f"Add `language` to recipe.{name}.trains, or leave out the adapters.",
                )
            given = {field: value for field, value in lora.items() if value is not None}
            plain["lora"] = {"alpha": 2 * lora["rank"], **given, "targets": sorted(set(lora.get("targets") or ()))}
        try:
            return StageSpec.model_validate(plain)
        except ValidationError as error:
            detail = error.errors()[0]
            field = ".".join(map(str, detail["loc"]))
            leaf = fields.get(field)
            raise self._study.problem(
                leaf.path if leaf else at,
                f"{detail['msg']}, but got {show(detail['input'])}",
                key=f"recipe.{name}.{field}",
            ) from error

    def _mix(self, leaf: Leaf) -> MixSpec:
        return self._part(("mix", repr(leaf.value)), lambda: self._make_mix(leaf))

    def _make_mix(self, leaf: Leaf) -> MixSpec:
        path: KeyPath = leaf.path
        if isinstance(leaf.value, str):
            name, entry = leaf.value, self._catalogue.mixes.get(leaf.value)
            if entry is None:
                legal = list(self._catalogue.mixes)
                raise self._study.problem(
                    path,
                    f"must be one of {', '.join(legal)}, but got {name!r}",
                    nearest(name, legal) or "Define it under `mixes`.",
                )
            if name in self._study.mixes:
                path = ("mixes", name)
        else:
            entry = MixEntry.model_validate(leaf.value)
            name = "+".join(part.source for part in entry.parts)
        parts = tuple(
            MixPart(
                source=self.source(part.source, (*path, "parts", number, "source")),
                fraction=part.fraction,
                count=part.count,
                repeat=part.repeat,
                drop=part.drop,
            )
            for number, part in enumerate(entry.parts)
        )
        mix = MixSpec(name=name, parts=parts, draw_seed=entry.draw_seed, resample=entry.resample)
        try:
            mix_modalities(mix, self._realised)
        except InputError as error:
            raise self._study.problem(path, f"mix {name!r}: {error.law}", error.way_out) from error
        return mix

    def source(self, name: str, path: KeyPath) -> SourceSpec:
        """A data source by name. Raises InputError, placed at `path`, if there is none."""
        entry = self._catalogue.sources.get(name)
        if entry is None:
            legal = list(self._catalogue.sources)
            raise self._study.problem(
                path,
                f"must be one of {', '.join(legal)}, but got {name!r}",
                nearest(name, legal) or "Define it under `sources`.",
            )
        return self._part(("source", name), lambda: SourceSpec(name=name, **entry.model_dump(exclude={"source"})))

    def _steps(self, stage: StageSpec, patch: Patch) -> int | None:
        return self._part(("steps", id(stage)), lambda: stage_steps(stage, self._realised))

    # ------------------------------------------------------------ benchmarks

    def evaluations(self) -> tuple[tuple[BenchmarkSpec, ...], tuple[BenchmarkSpec, ...]]:
        """The study's benchmarks and its samples, suites written out. Raises InputError with all that is wrong."""
        problems: list[InputError] = []
        specs: dict[str, BenchmarkSpec] = {}
        found: list[tuple[BenchmarkSpec, ...]] = []
        for key, choices in (("benchmarks", self._study.benchmarks), ("samples", self._study.samples)):
            before = len(specs)
            for number, choice in enumerate(choices):
                path: KeyPath = (key, number)
                for one in self._expand_suite(choice):
                    if one.id in specs:
                        law = f"a benchmark must be there once, but {one.id!r} is twice"
                        problems.append(self._study.problem(path, law))
                        continue
                    try:
                        specs[one.id] = self._benchmark(one, path)
                    except InputError as error:
                        problems.append(error)
            found.append(tuple(specs.values())[before:])
        raise_problems(problems)
        return found[0], found[1]

    def _expand_suite(self, choice: BenchmarkChoice) -> tuple[BenchmarkChoice, ...]:
        """A suite's members, with the fields that were set for the whole of it."""
        members = self._catalogue.suites.get(choice.id)
        if members is None:
            return (choice,)
        whole = choice.model_dump(exclude_unset=True, exclude={"id"})
        return tuple(member.model_copy(update=whole) for member in members)

    def _benchmark(self, choice: BenchmarkChoice, path: KeyPath) -> BenchmarkSpec:
        entry = self._catalogue.benchmarks.get(choice.id)
        fields = entry.model_dump(exclude_none=True) if entry else {}
        fields.update(choice.model_dump(exclude_none=True))
        if "source" not in fields:
            legal = [*self._catalogue.suites, *self._catalogue.benchmarks]
            raise self._study.problem(
                path,
                f"must be a suite or a benchmark ({', '.join(legal)}), but got {choice.id!r}",
                nearest(choice.id, legal) or "Give its `source` to define it.",
            )
        source = self.source(fields["source"], path)
        legal_tags = [*source.tags, TEXT_ONLY]
        if fields.get("select") is not None and source.tags and fields["select"] not in legal_tags:
            raise self._study.problem(
                path,
                f"select must be a tag of {source.name} ({', '.join(legal_tags)}), but got {fields['select']!r}",
                nearest(fields["select"], legal_tags),
            )
        return BenchmarkSpec(**{**fields, "source": source})

    def _wrong(self, leaves: Patch, name: str, law: str, way_out: str | None = None) -> InputError:
        return field_problem(self._study, leaves, name, law, way_out)
