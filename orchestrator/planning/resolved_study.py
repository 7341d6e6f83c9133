"""List every value of a study as it is used, with its origin: study file, preset, catalogue, default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from search_spaces.catalogue.entries import BenchmarkEntry, EncoderEntry, LanguageEntry, MixEntry, SourceEntry
from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError
from search_spaces.expansion.resolve_benchmarks import members_of
from search_spaces.flow_text import flow_text
from search_spaces.identity import source_name
from search_spaces.plan import Arm, Plan
from search_spaces.resource_spec import ResourceSpec
from search_spaces.spec import BenchmarkSpec, MixSpec, SourceSpec, StageSpec, TrialSpec, VisionSpec
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath, key_text, value_at

DEFAULT = "default"

_Kind = Literal["encoders", "languages", "sources", "mixes", "benchmarks"]
_OWN_KEYS: Mapping[_Kind, str] = {
    "encoders": "backbones",
    "languages": "languages",
    "sources": "sources",
    "mixes": "mixes",
    "benchmarks": "benchmarks",
}
"""Kind of catalogue entry -> key under which a study has entries of its own."""
_FACTS: Mapping[_Kind, type[BaseModel]] = {
    "encoders": EncoderEntry,
    "languages": LanguageEntry,
    "sources": SourceEntry,
    "mixes": MixEntry,
    "benchmarks": BenchmarkEntry,
}
"""Kind of catalogue entry -> its fields: what an entry may say of the value that it describes."""


@dataclass(frozen=True, slots=True)
class ResolvedValue:
    """One value of a study, as it is used."""

    path: str
    """Dotted key path."""
    text: str
    """In YAML's flow style."""
    origin: str
    """`FILE:LINE`, `--set KEY=VALUE`, `preset NAME`, `catalogue KIND.NAME`, `default`, or `--toy` of what the toy form
    of a study has changed."""


def resolved_values(study: Study, plan: Plan, written: Plan | None = None) -> Iterator[ResolvedValue]:
    """List the values of a study: its base, what that names, benchmarks, resources, and what varies.

    Args:
        study: as it was written.
        plan: of the study; its base must be among the trials.
        written: plan of the study as it was written, where `plan` is that of its toy form.

    Raises:
        InputError: for a selection without the base.
    """
    if written is None:
        yield from _values(study, plan)
        return
    untouched = {value.path: value.text for value in _values(study, written)}
    for value in _values(study, plan):
        yield value if untouched.get(value.path) == value.text else replace(value, origin="--toy")


def _values(study: Study, plan: Plan) -> Iterator[ResolvedValue]:
    arm = next((arm for arm in plan.arms if not arm.difference), None)
    trial = None if arm is None else next((trial for trial in plan.trials if trial.arm == arm.name), None)
    if arm is None or trial is None:
        raise InputError("must have the base among the trials that are selected", key="--only, --limit")
    lines = _Lines(study)
    yield from lines.study("study", "question", "extends")
    yield from lines.model(trial.spec)
    for stage in trial.spec.stages:
        yield from lines.stage(stage, is_last=stage is trial.spec.stages[-1])
    yield from lines.mixes(stage.data for stage in trial.spec.stages)
    yield from lines.sources([trial.spec], [*plan.benchmarks, *plan.samples])
    yield from lines.benchmarks("benchmarks", plan.benchmarks)
    yield from lines.benchmarks("samples", plan.samples)
    yield from lines.resources(arm)
    further = (
        "axes",
        "design",
        "arms",
        "zip",
        "exclude",
        "seeds",
        "seed_sd",
        "blind",
        "storage",
        "budget",
        "hypotheses",
    )
    yield from lines.study(*further)


class _Lines:
    """Values of one study with their origins."""

    def __init__(self, study: Study):
        self._study, self._document = study, study.document
        root = self._document.origin(())
        self._folder = None if root is None else Path(root.rpartition(":")[0]).parent

    def study(self, *names: str) -> Iterator[ResolvedValue]:
        """List fields of the study itself."""
        plain = self._study.model_dump(mode="json")
        for name in names:
            for path, value in _leaves(plain[name], (name,)):
                yield self._value(path, value, self._written(path) or DEFAULT)

    def model(self, spec: TrialSpec) -> Iterator[ResolvedValue]:
        """List the fields of the base's encoder, projector and language model."""
        yield from self._tower(spec.vision, ("base", "vision"))
        for path, value in _leaves(spec.projector.model_dump(mode="json"), ("base", "projector")):
            yield self._value(path, value, self._written(path) or DEFAULT)
        language = spec.language
        plain = language.model_dump(mode="json", exclude={"name": True, "tokenizer": {"source", "sources"}})
        yield self._value(("base", "language", "model"), language.name, self._at("base", "language"))
        for path, value in _leaves(plain, ("base", "language")):
            fact = self._fact("languages", language.name, path[2:], otherwise="the checkpoint's config")
            yield self._value(path, value, self._written(path) or fact)
        words = [source.declared for source in language.tokenizer.vocabulary]
        if words:
            yield self._value(("base", "language", "tokenizer", "sources"), words, DEFAULT)

    def _tower(self, vision: VisionSpec, at: KeyPath) -> Iterator[ResolvedValue]:
        for path, value in _leaves(vision.model_dump(mode="json", exclude={"parts"}), at):
            fact = self._fact("encoders", vision.backbone, path[len(at) :], otherwise="timm")
            yield self._value(path, value, self._written(path) or fact)
        for number, part in enumerate(vision.parts):
            yield from self._tower(part, (*at, "parts", number))

    def stage(self, stage: StageSpec, *, is_last: bool) -> Iterator[ResolvedValue]:
        """List the fields of a training stage; of the last one the horizon may be the base's."""
        recipe = self._study.recipe.extends
        entry = shipped().recipes[recipe].stages.get(stage.name) if recipe is not None else None
        told = {} if entry is None else entry.model_dump(exclude_unset=True, mode="json")
        for inner, value in _leaves({**stage.model_dump(mode="json", exclude={"name"}), "data": stage.data.name}, ()):
            path: KeyPath = ("recipe", stage.name, *inner)
            origin = self._written(path)
            if inner[0] in ("epochs", "max_steps") and is_last:
                origin = self._written(("base", *inner)) or origin
            if origin is None and _has(told, inner):
                origin = f"catalogue recipes.{recipe}"
            if origin is None and inner == ("data",):
                origin = self._at("base", "data")
            yield self._value(path, value, origin or DEFAULT)

    def mixes(self, mixes: Iterable[MixSpec]) -> Iterator[ResolvedValue]:
        """List the parts of data mixes, each mix once."""
        for mix in {mix.name: mix for mix in mixes}.values():
            for inner, value in _leaves(mix.model_dump(mode="json", exclude={"name"}), ()):
                if inner[:1] == ("parts",) and inner[2:3] == ("source",):
                    continue
                yield self._value(("mixes", mix.name, *inner), value, self._fact("mixes", mix.name, inner))
            for number, part in enumerate(mix.parts):
                at: KeyPath = ("parts", number, "source")
                yield self._value(("mixes", mix.name, *at), part.source.name, self._fact("mixes", mix.name, at))

    def sources(self, specs: Iterable[TrialSpec], asked: Iterable[BenchmarkSpec]) -> Iterator[ResolvedValue]:
        """List the fields of every data source, once."""
        sources: dict[str, SourceSpec] = {}
        for spec in specs:
            sources |= {source_name(each): each for each in spec.language.tokenizer.vocabulary}
            sources |= {source_name(part.source): part.source for stage in spec.stages for part in stage.data.parts}
        sources |= {source_name(benchmark.source): benchmark.source for benchmark in asked}
        for source in {source.name: source for source in sources.values()}.values():
            for inner, value in _leaves(source.model_dump(mode="json", exclude={"name", "without"}), ()):
                yield self._value(("sources", source.name, *inner), value, self._fact("sources", source.name, inner))

    def benchmarks(
        self, key: Literal["benchmarks", "samples"], specs: Iterable[BenchmarkSpec]
    ) -> Iterator[ResolvedValue]:
        """List what is asked, suites written out."""
        chosen = self._choices(key)
        for spec in specs:
            at, suite = chosen[spec.id]
            plain = spec.model_dump(mode="json", exclude={"id", "images", "only"}) | {"source": spec.source.name}
            if spec.only is not None:
                plain["only"] = f"{len(spec.only.ids):,} ids"
            for inner, value in _leaves(plain, ()):
                origin = self._written((*at, *inner))
                if origin is None and suite is not None and _has(suite, inner):
                    origin = suite["origin"]
                yield self._value((key, spec.id, *inner), value, origin or self._fact("benchmarks", spec.id, inner))

    def _choices(self, key: Literal["benchmarks", "samples"]) -> dict[str, tuple[KeyPath, dict[str, Any] | None]]:
        """Map the id of a benchmark to where its own fields are written, and to what its shipped suite says of it."""
        choices: dict[str, tuple[KeyPath, dict[str, Any] | None]] = {}
        for number, choice in enumerate(getattr(self._study, key)):
            own = choice.id in self._study.suites
            for position, member in enumerate(members_of(choice, {**shipped().suites, **self._study.suites})):
                at: KeyPath = ("suites", choice.id, position) if own else (key, number)
                is_shipped = not own and choice.id in shipped().suites
                told = {**member.model_dump(exclude_unset=True), "origin": f"catalogue suites.{choice.id}"}
                choices[member.id] = at, told if is_shipped else None
        return choices

    def resources(self, arm: Arm) -> Iterator[ResolvedValue]:
        """List what the base runs on, and what differs in single stages."""
        preset = self._study.resources.preset
        entry = {} if preset is None else shipped().resources[preset].model_dump(exclude_unset=True, mode="json")
        if preset is not None:
            yield self._value(("resources", "preset"), preset, self._at("resources"))

        def listed(spec: ResourceSpec, at: KeyPath, below: ResourceSpec | None) -> Iterator[ResolvedValue]:
            for name, value in spec.model_dump(mode="json").items():
                if below is not None and getattr(below, name) == getattr(spec, name):
                    continue
                path: KeyPath = (*at, name)
                from_preset = f"preset {preset}" if _has(entry, path[1:]) else DEFAULT
                yield self._value(path, value, self._written(path) or from_preset)

        yield from listed(arm.resources, ("resources",), None)
        for stage, spec in arm.stage_resources.items():
            yield from listed(spec, ("resources", "stages", stage), arm.resources)

    def _fact(self, kind: _Kind, name: str, inner: KeyPath, otherwise: str = DEFAULT) -> str:
        """Find what says a field of something that has a name: an entry of the study's own, or of the catalogue."""
        own, known = (_OWN_KEYS[kind], name), getattr(shipped(), kind)
        if inner[0] not in _FACTS[kind].model_fields:
            return DEFAULT
        place = None if kind == "benchmarks" else self._written((*own, *inner))
        if place is not None:
            return place
        if kind != "benchmarks" and self._written(own) is not None:
            return DEFAULT
        if name not in known:
            return otherwise
        told = known[name].model_dump(exclude_unset=True, mode="json")
        follows = kind in ("encoders", "languages") and getattr(known[name], str(inner[0]), None) is None
        return f"catalogue {kind}.{name}" if _has(told, inner) or follows else DEFAULT

    def _written(self, path: KeyPath) -> str | None:
        """Return the place at which a value was written; None of one that was not."""
        try:
            value_at(self._document.value, path)
        except (KeyError, IndexError, TypeError):
            return None
        return self._shortened(self._document.origin(path))

    def _at(self, *path: str) -> str:
        return self._written(path) or DEFAULT

    def _shortened(self, place: str | None) -> str | None:
        """Write a place in the folder of the study without that folder."""
        if place is None or self._folder is None:
            return place
        return place.removeprefix(f"{self._folder}/")

    def _value(self, path: KeyPath, value: Any, origin: str) -> ResolvedValue:
        return ResolvedValue(key_text(path), flow_text(value, self._document, path), origin)


def _leaves(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """List the values of nested maps, and of lists of maps, with their paths; other lists are values."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(value, list) and value and all(isinstance(child, dict) for child in value):
        for number, child in enumerate(value):
            yield from _leaves(child, (*path, number))
    else:
        yield path, value


def _has(plain: Any, path: KeyPath) -> bool:
    """Tell whether plain values have one at a path."""
    try:
        value_at(plain, path)
    except (KeyError, IndexError, TypeError):
        return False
    return True
