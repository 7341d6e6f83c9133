"""The study file: what a user writes. Every field is typed and refuses unknown keys; nothing is looked up here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, PrivateAttr, Tag, model_validator

from search_spaces.catalogue.entries import (
    BenchmarkChoice,
    Encoder,
    Entry,
    LanguageEntry,
    MixEntry,
    NonEmpty,
    SourceEntry,
    StagePatch,
    StageResources,
)
from search_spaces.errors import InputError, nearest, raise_problems
from search_spaces.spec import Positive, ProjectorKind, PromptStyle, ResourceSpec
from search_spaces.typed import typed
from search_spaces.yaml_source import Document, KeyPath, key_text, leaves, merge, place_override, read

DEFAULT_SEED = 7
"""The seed of every published Prismatic model."""

Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]


class VisionChoice(Entry):
    """The vision tower of an arm."""

    backbone: NonEmpty
    """Name in the catalogue, in the study's `backbones`, or of any timm model."""
    resolution: Positive | None = None
    """Side of the square input in px; by default the checkpoint's own."""
    resize: Literal["letterbox", "naive", "crop"] = "letterbox"
    interpolate: bool = False
    """Allow another resolution than the checkpoint's own, by interpolating position embeddings."""
    weights: Literal["pretrained", "random"] = "pretrained"
    stride: Positive | None = None
    """Output stride of a convolutional encoder; by default its largest."""
    tokens: Positive | None = None
    """Visual tokens per image, a square number; by default the whole feature grid."""


class LanguageChoice(Entry):
    """The language model of an arm."""

    model: NonEmpty
    """Name in the catalogue or in the study's `languages`, or `hub:ORG/MODEL@REVISION`, or `path:FOLDER`."""
    family: NonEmpty | None = None
    """Of `hub:` and `path:`: `model_type` in the model's config.json; must be given where that file is not at hand."""
    width: Positive | None = None
    """Of `hub:` and `path:`: length of an embedding; must be given where the model's config.json is not at hand."""
    prompt: PromptStyle | None = None
    """By default the model's own style; `pure` with `hub:` and `path:`."""
    max_length: Positive | None = None
    """Longest text in tokens."""


def _is_mix(value: Any) -> str:
    return "mix" if isinstance(value, Mapping | MixEntry) else "name"


DataChoice = Annotated[Annotated[str, Tag("name")] | Annotated[MixEntry, Tag("mix")], Discriminator(_is_mix)]
"""Name of a mix, or a mix."""


class ProjectorChoice(Entry):
    """The projector of an arm."""

    kind: ProjectorKind = "gelu-mlp"
    depth: Positive | None = None
    """Number of linear layers: 1 of `linear`; from 2 on, and by default 2, of `gelu-mlp`; from 2 on, and by default 3,
    of `fused-gelu-mlp`, whose first layer is four times as wide as the features."""


class Base(Entry):
    """One complete arm; every other arm is a difference from it."""

    vision: VisionChoice
    projector: ProjectorChoice = ProjectorChoice()
    language: LanguageChoice
    stages: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of stages of the recipe, in the order of training."""
    epochs: Annotated[float, Field(gt=0)] | None = None
    """Of the last stage; earlier stages keep their recipe's."""
    max_steps: Positive | None = None
    """Of the last stage, instead of `epochs`."""
    data: DataChoice | None = None

    @model_validator(mode="after")
    def _one_horizon(self) -> Base:
        if self.epochs is not None and self.max_steps is not None:
            raise ValueError("`epochs` and `max_steps` must not both be given")
        return self


class RecipeChoice(BaseModel):
    """A recipe of the catalogue with changes, or stages of the study's own."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)
    __pydantic_extra__: dict[str, StagePatch] = Field(init=False)

    extends: str | None = None
    """Name of a recipe of the catalogue."""


class Resources(ResourceSpec):
    """What a trial runs on. Changes rounding at most, so that it is no axis."""

    preset: str | None = None
    """Name in the catalogue; what is set here replaces what the preset says, for all stages."""
    deepspeed: dict[str, Any] | str = Field(default_factory=dict)  # type: ignore[assignment]
    """Settings, or the path of a JSON file that holds them, relative to the study."""
    stages: dict[str, StageResources] = Field(default_factory=dict)
    """Stage name -> what differs there."""


class Exclude(Entry):
    where: Annotated[dict[str, Any], Field(min_length=1)]
    """Axis -> label of its value; an arm is left out if all of them fit."""
    reason: NonEmpty


class Hypothesis(Entry):
    """A claim about contrasts, written before the run."""

    id: Slug
    claim: NonEmpty
    pairs: Annotated[tuple[tuple[str, str], ...], Field(min_length=1)]
    """Names of arms: [reference, alternative]."""
    on: Annotated[tuple[str, ...], Field(min_length=1)] = ("all",)
    """`all`, ids of the study's benchmarks, or names of suites of them."""
    expect: Literal["better", "worse", "equivalent", "not-worse"]
    """What the alternative is to be, compared with the reference."""
    margin: Annotated[float, Field(gt=0)] | None = None
    """In points; must be given for `equivalent` and `not-worse`."""

    @model_validator(mode="after")
    def _has_margin(self) -> Hypothesis:
        if self.margin is None and self.expect in ("equivalent", "not-worse"):
            raise ValueError(
                f"`margin` must be given where `expect` is {self.expect}: how many points still count as none"
            )
        return self


class Study(Entry):
    """A question, a base, what varies, and how it is judged."""

    study: Slug
    """Name; results are kept under it."""
    question: str = ""
    extends: str | None = None
    """Another study, a path or a shipped name: maps merge, lists replace, null removes."""
    base: Base
    recipe: RecipeChoice
    """What the names of `base.stages` mean."""
    axes: dict[str, Any] = Field(default_factory=dict)
    """Dotted path in the base -> values, or name -> label -> changes by dotted path."""
    design: Literal["one-at-a-time", "grid", "list"] = "one-at-a-time"
    arms: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Further arms: name -> changes by dotted path, besides `note` and `resources`. One that changes nothing gives the
    base its name."""
    exclude: tuple[Exclude, ...] = ()
    zip: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = ()
    """Groups of axes that vary together."""
    seeds: dict[str, Annotated[tuple[int, ...], Field(min_length=1)]] = Field(default={"default": (DEFAULT_SEED,)})
    """Replicates: arm -> seeds, and `default` for all others."""
    seed_sd: Annotated[float, Field(gt=0)] | None = None
    """Assumed standard deviation over seeds of an arm's score, in points: what plan reckons with, and what makes arms
    with one seed comparable as recipes. Verdicts say that it was assumed."""
    benchmarks: tuple[BenchmarkChoice, ...] = ()
    samples: tuple[BenchmarkChoice, ...] = ()
    """Sets that every arm answers for the report alone, such as open prompts: no part of any mean or verdict."""
    resources: Resources = Resources()
    hypotheses: tuple[Hypothesis, ...] = ()
    sources: dict[str, SourceEntry] = Field(default_factory=dict)
    mixes: dict[str, MixEntry] = Field(default_factory=dict)
    languages: dict[str, LanguageEntry] = Field(default_factory=dict)
    backbones: dict[str, Encoder] = Field(default_factory=dict)
    suites: dict[str, Annotated[tuple[BenchmarkChoice, ...], Field(min_length=1)]] = Field(default_factory=dict)

    _document: Document = PrivateAttr(default_factory=lambda: Document({}))

    @property
    def document(self) -> Document:
        """The plain values behind this study, after `extends` and `--set`, with their places."""
        return self._document

    def problem(self, path: KeyPath, law: str, way_out: str | None = None, *, key: str | None = None) -> InputError:
        """An error at a key path of this study."""
        return InputError(law, place=self._document.origin(path), key=key or key_text(path), way_out=way_out)

    def provenance(self) -> dict[str, str]:
        """Key path of every value of the study -> where it was written (``file:line`` or ``--set``)."""
        return {key_text(path): self._document.origin(path) or "" for path, _ in leaves(self._document.value) if path}


def load_study(name_or_path: str, overrides: Sequence[str] = ()) -> Study:
    """Read a study file.

    Args:
        name_or_path: a path, or the name of a shipped study.
        overrides: ``a.b=value`` texts, placed as if they were written in the file; values are YAML.

    Raises:
        InputError: everything that is wrong with the form of the file, together.
    """
    document = _load_document(find_study(name_or_path), overrides, ())
    if not isinstance(document.value, dict):
        raise InputError("a study must be a mapping", place=name_or_path)
    study, problems = typed(Study, document)
    raise_problems(problems)
    assert study is not None
    study._document = document
    return study


@cache
def _shipped() -> dict[str, Path]:
    """Name -> file; what lies in a folder has it in its name (``prismatic/design_space``)."""
    root = Path(str(resources.files("search_spaces")))
    found = (*root.glob("*.yaml"), *root.glob("*/*.yaml"))
    return {file.relative_to(root).with_suffix("").as_posix(): file for file in sorted(found) if _is_study(file)}


def _is_study(file: Path) -> bool:
    """Other files beside studies are what they extend: they have no name to keep results under."""
    return any(line.startswith("study:") for line in file.read_text(encoding="utf-8").splitlines())


def shipped_studies() -> list[str]:
    """Names of the studies that come with the program."""
    return list(_shipped())


def find_study(name_or_path: str, beside: Path | None = None) -> Path:
    """The file of a study. Raises InputError if there is none.

    Args:
        name_or_path: a path (relative to `beside`, where given), or the name of a shipped study.
        beside: folder of the file that refers to it.
    """
    path = Path(name_or_path).expanduser()
    candidate = beside / path if beside and not path.is_absolute() else path
    if candidate.is_file():
        return candidate
    shipped = _shipped()
    if name_or_path in shipped:
        return shipped[name_or_path]
    raise InputError(
        f"STUDY must be a file, or one of {', '.join(shipped)}, but got {name_or_path!r}",
        place=str(beside) if beside else None,
        way_out=nearest(name_or_path, shipped),
    )


def _load_document(path: Path, overrides: Sequence[str], below: tuple[Path, ...]) -> Document:
    """A file on top of what it extends, in long form."""
    real = path.resolve()
    if real in below:
        circle = " -> ".join(file.name for file in (*below, real))
        raise InputError(f"`extends` must not lead back to a file, but: {circle}", place=str(path), key="extends")
    document = long_form(read(path))
    for override in overrides:
        document = long_form(place_override(document, override, name_maps=("axes", "arms")))
    parent = document.value.get("extends") if isinstance(document.value, dict) else None
    if not isinstance(parent, str):
        return document
    try:
        parent_path = find_study(parent, path.parent)
    except InputError as error:
        raise InputError(
            error.law.replace("STUDY", "extends"),
            place=document.origin(("extends",)),
            key="extends",
            way_out=error.way_out,
        ) from error
    return merge(_load_document(parent_path, (), (*below, real)), document)


_SHORT_FORMS: tuple[tuple[tuple[str, ...], type, str | int], ...] = (
    (("base", "vision"), str, "backbone"),
    (("base", "language"), str, "model"),
    (("base", "projector"), str, "kind"),
    (("recipe",), str, "extends"),
    (("resources",), str, "preset"),
    (("arms", "*", "resources"), str, "preset"),
    (("seeds",), list, "default"),
    (("benchmarks",), str, 0),
    (("benchmarks", "*"), str, "id"),
    (("samples",), str, 0),
    (("samples", "*"), str, "id"),
    (("suites", "*"), str, 0),
    (("suites", "*", "*"), str, "id"),
    (("hypotheses", "*", "on"), str, 0),
)
"""Where (`*`: all keys or positions), which type is a short form, and under which key (or as which item) it goes."""


def long_form(document: Document) -> Document:
    """Short forms written out, so that files merge and types have one form. Places stay those of the short form."""
    for pattern, short, key in _SHORT_FORMS:
        for path in list(_matching(document.value, pattern)):
            document = _nested(document, path, short, key)
    return document


def _matching(value: Any, pattern: tuple[str, ...], path: KeyPath = ()) -> list[KeyPath]:
    if not pattern:
        return [path]
    children: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        children = [(key, child) for key, child in value.items() if pattern[0] in ("*", key)]
    elif isinstance(value, list) and pattern[0] == "*":
        children = list(enumerate(value))
    return [found for key, child in children for found in _matching(child, pattern[1:], (*path, key))]


def _nested(document: Document, path: KeyPath, short: type, key: str | int) -> Document:
    node = document.value
    for step in path[:-1]:
        node = node[step]
    value = node[path[-1]]
    if not isinstance(value, short):
        return document
    node[path[-1]] = [value] if isinstance(key, int) else {key: value}

    def moved(table: dict[KeyPath, str]) -> dict[KeyPath, str]:
        depth = len(path)
        return {
            (*known[:depth], key, *known[depth:]) if known[:depth] == path else known: v for known, v in table.items()
        }

    origins = moved(document.origins)
    origins[path] = document.origins.get(path) or document.origin(path) or ""
    return Document(document.value, origins, moved(document.texts))
