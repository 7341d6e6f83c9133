"""Define the study file, as a user writes it. Every field is typed and refuses unknown keys; nothing is looked up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Discriminator, Field, PrivateAttr, Tag, model_validator

from search_spaces.catalogue.entries import (
    BenchmarkChoice,
    Encoder,
    Entry,
    LanguageEntry,
    MixEntry,
    NonEmpty,
    SourceEntry,
    StageResources,
)
from search_spaces.catalogue.recipe_entries import StagePatch
from search_spaces.errors import InputError
from search_spaces.names import Slug
from search_spaces.projectors import ProjectorKind
from search_spaces.resource_spec import ResourceSpec
from search_spaces.seeds import seeds_of_arm
from search_spaces.spec import Positive, PromptStyle, Resize, WeightsOrigin
from search_spaces.study_layers import StudyLayers
from search_spaces.worker_contract import LauncherName
from search_spaces.yaml_source import Document, KeyPath, key_text, leaves

DEFAULT_SEED = 7
"""The seed of every published Prismatic model."""

Expectation = Literal["better", "worse", "equivalent", "not-worse"]
"""What a hypothesis says of an alternative, compared with its reference."""

Spending = Literal["obrien-fleming", "pocock"]
"""How the level of a test is spent over several looks: hardly any at the first ones, or about as much at each."""


class VisionChoice(Entry):
    """The vision tower of an arm."""

    backbone: NonEmpty
    """Name in the catalogue, in the study's `backbones`, or of any timm model."""
    resolution: Positive | None = None
    """Side of the square input in px; by default the checkpoint's own."""
    resize: Resize = "letterbox"
    """How an image becomes a square: padded, squeezed, or cut to its centre."""
    interpolate: bool = False
    """Allow another resolution than the checkpoint's own, by interpolating position embeddings."""
    weights: WeightsOrigin = "pretrained"
    """Whether the encoder starts from its checkpoint or at random."""
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
    weights_prefix: str = ""
    """What stands before the names of the model's tensors, where it was wrapped or cut out: `language_model.`"""


def _is_mix(value: Any) -> str:
    return "mix" if isinstance(value, Mapping | MixEntry) else "name"


DataChoice = Annotated[Annotated[str, Tag("name")] | Annotated[MixEntry, Tag("mix")], Discriminator(_is_mix)]
"""Name of a mix, or a mix."""


class ProjectorChoice(Entry):
    """The projector of an arm."""

    kind: ProjectorKind = "gelu-mlp"
    """Design of the projector: one linear layer, an MLP with GELU, or one whose first layer is wide."""
    depth: Positive | None = None
    """Number of linear layers: 1 of `linear`; from 2 on, and by default 2, of `gelu-mlp`; from 2 on, and by default 3,
    of `fused-gelu-mlp`, whose first layer is four times as wide as the features."""


class Base(Entry):
    """One complete arm; every other arm is a difference from it."""

    vision: VisionChoice
    """Vision encoder, its resolution and its visual tokens; a name alone is the backbone."""
    projector: ProjectorChoice = ProjectorChoice()
    """Projector from visual features to embeddings of the language model."""
    language: LanguageChoice
    """Language model; a name alone is the model."""
    stages: Annotated[tuple[str, ...], Field(min_length=1)]
    """Names of stages of the recipe, in the order of training."""
    epochs: Annotated[float, Field(gt=0)] | None = None
    """Of the last stage; earlier stages keep their recipe's."""
    max_steps: Positive | None = None
    """Of the last stage, instead of `epochs`."""
    data: DataChoice | None = None
    """Mix that stages without `data` of their own train on: a name, or its parts."""

    @model_validator(mode="after")
    def _one_horizon(self) -> Base:
        if self.epochs is not None and self.max_steps is not None:
            raise ValueError("`epochs` and `max_steps` must not both be given")
        return self


class RecipeChoice(BaseModel):
    """A recipe of the catalogue with changes, or stages of the study's own."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False, defer_build=True)
    __pydantic_extra__: dict[str, StagePatch] = Field(init=False)

    extends: str | None = None
    """Name of a recipe of the catalogue."""


class Resources(ResourceSpec):
    """What a trial runs on. Changes rounding at most, so that it is no axis."""

    preset: str | None = None
    """Name in the catalogue; what is set here replaces what the preset says, for all stages."""
    interface: Annotated[str, Field(pattern=r"^[^\s,=^]+(,[^\s,=^]+)*$")] | None = None
    """Network interfaces over which workers on several hosts meet, `eth0` or `eth0,eth1`, of the whole study; by
    default, of each host the one that carries the address of its Ray node."""
    launcher: LauncherName = "gang"
    """Who starts and watches the workers of a trial, of the whole study: `gang`, actors in the trial's own reservation
    that serve one trial after another, or `ray-train`, a run of Ray Train per trial."""
    deepspeed: dict[str, Any] | str = Field(default_factory=dict)  # type: ignore[assignment]
    """Settings, or the path of a JSON file that holds them, relative to the study."""
    stages: dict[str, StageResources] = Field(default_factory=dict)
    """Stage name -> what differs there."""


class StorageChoice(Entry):
    """How much of the storage a study may take. Changes no result."""

    budget_gb: Annotated[float, Field(gt=0)] | None = None
    """GB (1e9 bytes) of stages, features, histories and logs, with those that it shares with other studies; near it the
    run frees leftovers, then starts nothing. Prepared data are not counted."""


class BudgetChoice(Entry):
    """How much a study may spend. Changes no result."""

    gpu_hours: Annotated[float, Field(gt=0)] | None = None
    """GPU-hours in all, by whatever runs of the study; hours of workers where there are no GPUs. No trial is started
    beyond them, and `--max-gpu-hours` takes their place."""


class Exclude(Entry):
    where: Annotated[dict[str, Any], Field(min_length=1)]
    """Axis -> label of its value; an arm is left out if all of them fit."""
    reason: NonEmpty
    """Why these arms are left out; the plan shows it."""


class Hypothesis(Entry):
    """A claim about contrasts, written before the run."""

    id: Slug
    """Short name of the claim, by which verdicts call it."""
    claim: NonEmpty
    """What is claimed, in one sentence."""
    pairs: Annotated[tuple[tuple[str, str], ...], Field(min_length=1)]
    """Names of arms: [reference, alternative]."""
    on: Annotated[tuple[str, ...], Field(min_length=1)] = ("all",)
    """`all`, ids of the study's benchmarks, or names of suites of them."""
    expect: Expectation
    """What the alternative is to be, compared with the reference."""
    margin: Annotated[float, Field(gt=0)] | None = None
    """In points; must be given for `equivalent` and `not-worse`."""
    looks: tuple[Annotated[int, Field(ge=2)], ...] = ()
    """Numbers of seeds at which the results will be looked at, increasing: the 5 % of the test are spent over them."""
    spending: Spending = "obrien-fleming"
    """How they are spent over `looks`."""

    @model_validator(mode="after")
    def _looks_increase(self) -> Hypothesis:
        if any(later <= earlier for earlier, later in zip(self.looks, self.looks[1:], strict=False)):
            raise ValueError(f"`looks` must increase, but they are {', '.join(map(str, self.looks))}")
        if not self.looks and "spending" in self.model_fields_set:
            raise ValueError("`spending` must come with `looks`: it says how the level is spent over them")
        return self

    @model_validator(mode="after")
    def _has_margin(self) -> Hypothesis:
        match self.expect:
            case "better" | "worse":
                return self
            case "equivalent" | "not-worse":
                if self.margin is None:
                    law = f"`margin` must be given where `expect` is {self.expect}: how many points still count as none"
                    raise ValueError(law)
                return self
            case unreachable:
                assert_never(unreachable)


Seed = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
"""Seed that tables of results can hold: a whole number of 64 bits."""


class Study(Entry):
    """A question, a base, what varies, and how it is judged."""

    study: Slug
    """Name; results are kept under it."""
    question: str = ""
    """One sentence that the study answers; shown wherever the study is."""
    extends: str | None = None
    """Another study, a path or a shipped name: maps merge, lists replace, null removes."""
    base: Base
    """One complete arm; every other arm is a difference from it."""
    recipe: RecipeChoice
    """What the names of `base.stages` mean."""
    axes: dict[str, Any] = Field(default_factory=dict)
    """Dotted path in the base -> values, or name -> label -> changes by dotted path."""
    design: Literal["one-at-a-time", "grid", "list"] = "one-at-a-time"
    """Which arms the axes make: each value by itself against the base, all combinations, or only those of `arms`."""
    arms: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Further arms: name -> changes by dotted path, besides `note` and `resources`. One that changes nothing gives the
    base its name."""
    exclude: tuple[Exclude, ...] = ()
    """Arms that are left out, each with its reason."""
    zip: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = ()
    """Groups of axes that vary together."""
    seeds: dict[str, Annotated[tuple[Seed, ...], Field(min_length=1)]] = Field(default={"default": (DEFAULT_SEED,)})
    """Replicates: arm -> seeds, and `default` for all others. `order`, `init` and `data` seed the sources of chance
    apart (`search_spaces.seeds`)."""
    seed_sd: Annotated[float, Field(gt=0)] | None = None
    """Assumed standard deviation over seeds of an arm's score, in points: what plan reckons with, and what makes arms
    with one seed comparable as recipes. Verdicts say that it was assumed."""
    benchmarks: tuple[BenchmarkChoice, ...] = ()
    """Evaluation sets that every arm is scored on: a suite, or a list."""
    samples: tuple[BenchmarkChoice, ...] = ()
    """Sets that every arm answers for the report alone, such as open prompts: no part of any mean or verdict."""
    blind: bool | None = None
    """Whether every benchmark is also asked with blank images and with swapped ones, which tells what the models see
    from what they guess. None: where plan estimates that evaluation costs less than a tenth of training."""
    resources: Resources = Resources()
    """Workers, devices, ZeRO and checkpoints of a trial, or the name of a preset."""
    storage: StorageChoice = StorageChoice()
    """How much of the storage the study may take."""
    budget: BudgetChoice = BudgetChoice()
    """How many GPU-hours the study may spend."""
    hypotheses: tuple[Hypothesis, ...] = ()
    """Claims about pairs of arms, written before the run; a verdict is given on each."""
    sources: dict[Slug, SourceEntry] = Field(default_factory=dict)
    """Data sources of the study's own, by name."""
    mixes: dict[Slug, MixEntry] = Field(default_factory=dict)
    """Data mixes of the study's own, by name."""
    languages: dict[str, LanguageEntry] = Field(default_factory=dict)
    """Language models of the study's own, by name."""
    backbones: dict[str, Encoder] = Field(default_factory=dict)
    """Vision encoders of the study's own, by name."""
    suites: dict[Slug, Annotated[tuple[BenchmarkChoice, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Named lists of benchmarks of the study's own."""

    _document: Document = PrivateAttr(default_factory=lambda: Document({}))
    _layers: StudyLayers | None = PrivateAttr(default=None)

    @property
    def document(self) -> Document:
        """Plain values that this study was read from, after `extends` and `--set`, with their places."""
        return self._document

    @property
    def layers(self) -> StudyLayers | None:
        """Files and values of the command line that this study was put together from; None of one made in code."""
        return self._layers

    def seeds_of(self, arm: str) -> tuple[int, ...]:
        """Return the seeds of an arm, by its name; none where neither it nor `default` has any."""
        return seeds_of_arm(self.seeds, arm)

    def problem(self, path: KeyPath, law: str, way_out: str | None = None, *, key: str | None = None) -> InputError:
        """Make an error at a key path of this study.

        Args:
            path: the key path; its place is that of the nearest value around it.
            law: what must hold, and the value that does not.
            way_out: what to write instead.
            key: how the error calls the key, where that is not the path itself.
        """
        return InputError(law, place=self._document.origin(path), key=key or key_text(path), way_out=way_out)

    def provenance(self) -> dict[str, str]:
        """Map the key path of every value of the study to where it was written (``file:line`` or ``--set``)."""
        return {key_text(path): self._document.origin(path) or "" for path, _ in leaves(self._document.value) if path}
