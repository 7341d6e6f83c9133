"""Specify what a trial *is*, after names have been looked up and defaults filled in.

A study file is what a user writes; these are what the program runs. They are frozen, complete, serialisable and free of
anything that does not change the result, except where a field says so. Everything that a `TrialSpec` holds enters
identity. What a trial runs on is `resource_spec.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field

from search_spaces.names import Slug
from search_spaces.projectors import ProjectorKind, ProjectorLayer, projector_design
from search_spaces.typed import adapter

Positive = Annotated[int, Field(ge=1)]
TowerFamily = Literal["vit", "conv"]
"""Kinds of vision encoders of one tower."""
Module = Literal["vision", "projector", "language"]
WeightsOrigin = Literal["pretrained", "random"]
Resize = Literal["letterbox", "naive", "crop"]
TokenizerKind = Literal["words", "bytes", "checkpoint"]
Resample = Literal["never", "per-seed"]
OptimizerKind = Literal["adamw", "sgd"]
ScheduleKind = Literal["cosine", "constant", "wsd"]
Precision = Literal["fp32", "bf16"]
PromptStyle = Literal[
    "bare",
    "caption",
    "pure",
    "vicuna-v15",
    "llama2-chat",
    "llama2-chat-prismatic",
    "mistral-instruct",
    "phi-2",
    "chatml",
    "template",
]
"""`template` is the chat template of the checkpoint's own tokenizer."""


class Spec(BaseModel):
    """A frozen value that refuses unknown fields and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class VisionSpec(Spec):
    """Vision encoder as it is used: images of `resolution` px in, `tokens` feature vectors of `width` out.

    A fused encoder has `parts`, whose features are concatenated. Each has its own architecture, weights and
    normalisation; on the whole, `patch`, `mean` and `std` are then those of the first part and nobody reads them.
    """

    backbone: str
    """Name in the catalogue, or any timm architecture."""
    arch: str
    """timm architecture that is built; of a fused encoder those of its parts, joined by ``+``."""
    family: TowerFamily | Literal["fused"]
    weights: WeightsOrigin
    checkpoint: str | None
    """Declared origin of pretrained weights: ``package:NAME``, ``hub:ID`` or ``path:FILE``; None for random weights."""
    resolution: Positive
    resize: Resize
    interpolate: bool
    patch: Positive
    """Patch size of a transformer, output stride of a convolutional encoder, in px."""
    width: Positive
    tokens: Positive
    """Visual tokens per image that reach the projector; the feature grid is average-pooled where it is larger."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    options: dict[str, Any] = {}
    """Keyword arguments of the architecture (the tiny models of `--toy`)."""
    weights_prefix: str = ""
    """What stands before the names of the encoder's tensors in its file, where it was cut out of another or wrapped."""
    parts: tuple[VisionSpec, ...] = ()
    """Of a fused encoder: its towers, all with one resolution and one grid."""

    @property
    def towers(self) -> tuple[VisionSpec, ...]:
        """Towers that are built: the parts of a fused encoder, or this one."""
        return self.parts or (self,)

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Declared origins of all pretrained weights."""
        return tuple(tower.checkpoint for tower in self.towers if tower.checkpoint is not None)

    @property
    def grid(self) -> int:
        """Side of the square feature grid before pooling. Transformers drop a remainder, convolutions pad it."""
        match self.family:
            case "fused":
                return self.parts[0].grid
            case "vit":
                return self.resolution // self.patch
            case "conv":
                return -(-self.resolution // self.patch)
            case unreachable:
                assert_never(unreachable)


class ProjectorSpec(Spec):
    """Projector from visual features to embeddings of the language model."""

    kind: ProjectorKind
    depth: Positive | None = None
    """Number of linear layers; None for the kind's own (so that it has one form, and one identity)."""

    @property
    def layers(self) -> int:
        """Number of linear layers."""
        return self.depth or projector_design(self.kind).default

    def stack(self, width_in: int, width_out: int) -> tuple[ProjectorLayer, ...]:
        """Return the layers between features of length `width_in` and embeddings of length `width_out`."""
        return projector_design(self.kind).layers(self.layers, width_in, width_out)


ReaderKind = Literal["easy-vqa", "llava", "lrv", "parquet", "generated", "official", "questions"]
"""Formats of data sources; `official` and `questions` are those of evaluation sets."""


Level = Annotated[int, Field(ge=0, le=255)]


class PixelSpec(Spec):
    """How images become RGB of 8 bits, where their files leave it open. Part of the digest where it changes pixels."""

    ground: tuple[Level, Level, Level] = (255, 255, 255)
    """Colour behind transparent parts: red, green and blue of 0 to 255."""
    white: Annotated[float, Field(gt=0)] | None = None
    """Sample that is white in grey images of more than 8 bits (4095 of a camera with 12 bits). None: what the file
    declares, else 65535 of 16 bits and 1 of floats."""
    shrink_above: Positive = 179
    """Images of more megapixels are halved as they are read, until they have no more."""
    limit: Positive = 400
    """Images of more megapixels are refused: decoding takes up to 16 bytes of memory for each pixel."""


LostImage = Literal["missing", "broken"]
"""What a part of a mix may `drop` besides tags: records whose image is not there, or is no image that can be read."""


class SourceSpec(Spec):
    """Data source. `name@version` is its declared name; the digest of its content proves which data it is."""

    name: Slug
    version: str
    reader: ReaderKind
    path: str | None = None
    """File or folder, relative to `--data`; None for readers that bring their data (packages, generators)."""
    image_folder: str | None = None
    records: int | None = None
    text_only_records: int = 0
    images: int | None = None
    tags: dict[str, int] = {}
    """Records that carry each tag, where they are published: lets plan count what a `drop` leaves."""
    approximate: bool = False
    """The counts are rounded ones: plans say so, and the counts of the data are taken where they differ."""
    options: dict[str, int | float | str | bool] = {}
    pixels: PixelSpec = PixelSpec()
    without: tuple[LostImage, ...] = ()
    """How images may be lost: records with such are left out, as the parts of a mix that use the source `drop` them."""

    @property
    def declared(self) -> str:
        """Name and version, as keys hold them."""
        return f"{self.name}@{self.version}"


class TokenizerSpec(Spec):
    """Tokenizer of a language model."""

    kind: TokenizerKind
    """`words`: one token for each word of a source's texts; `bytes`: UTF-8 bytes; `checkpoint`: the model's own."""
    source: SourceSpec | None = None
    """Of `words`: the data source whose texts make the vocabulary (all of them, whatever the mix uses)."""
    sources: tuple[SourceSpec, ...] = ()
    """Of `words` without a `source`: those that the study's base and the arm train on; their texts make the
    vocabulary, of which the most frequent words stay."""

    @property
    def vocabulary(self) -> tuple[SourceSpec, ...]:
        """Data sources whose texts make the vocabulary; none where the tokenizer needs none."""
        return self.sources if self.source is None else (self.source,)


class LanguageSpec(Spec):
    """Causal language model with its tokenizer and prompt style."""

    name: str
    family: str
    """`model_type` of the transformers configuration: llama, mistral, phi, qwen2, ..."""
    checkpoint: str | None
    """Declared origin of the weights: ``hub:ID@REVISION``, ``path:FOLDER`` or ``path:FILE.gguf``; None: built from
    `config`, at random."""
    config: dict[str, int | float | str | bool]
    """Fields of the transformers configuration class, where the model is built from one."""
    tokenizer: TokenizerSpec
    prompt: PromptStyle
    width: Positive
    max_length: Positive
    """Longest text in tokens; longer ones are cut. Visual tokens come on top."""
    embedding_multiple: Positive = 1
    """Rows of the embeddings are filled up to a multiple of it: 64 for the families of Prismatic VLMs."""
    weights_prefix: str = ""
    """What stands before the names of the model's tensors in its files, where it was cut out of another or wrapped."""


class MixPart(Spec):
    """Records that a data mix takes from one source: all, a fraction or a count of them, each `repeat` times."""

    source: SourceSpec
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    count: Positive | None = None
    repeat: Positive = 1
    drop: tuple[str, ...] = ()
    """Tags whose records are left out (`text-only` among them), and what `SourceSpec.without` names."""


class MixSpec(Spec):
    """Data mix of a stage: which records of which sources it trains on."""

    name: str
    """For people; not part of identity."""
    parts: tuple[MixPart, ...]
    draw_seed: int = 0
    resample: Resample = "never"


class OptimizerSpec(Spec):
    """Optimizer of a stage with its hyperparameters and gradient clipping."""

    kind: OptimizerKind = "adamw"
    """Update rule."""
    lr: Annotated[float, Field(gt=0)]
    """Peak learning rate."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of AdamW: decay rates of the first and second moments."""
    eps: Annotated[float, Field(gt=0)] = 1e-8
    """Of AdamW: what is added to the root of the second moment."""
    momentum: float = 0.0
    """Of SGD: decay rate of the velocity."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Not applied to biases and one-dimensional weights."""
    clip: Annotated[float, Field(gt=0)] | None = 1.0
    """Largest global gradient norm; None to leave gradients as they are."""
    lr_scale: dict[Module, Annotated[float, Field(ge=0)]] = {}
    """Factor on the learning rate of single modules; 1 for those that are not named."""

    @property
    def states(self) -> int:
        """Numbers that the optimizer keeps for every weight, in fp32: moments of AdamW, momentum of SGD."""
        match self.kind:
            case "adamw":
                return 2
            case "sgd":
                return int(self.momentum > 0)
            case _:
                assert_never(self.kind)


class ScheduleSpec(Spec):
    """Learning-rate schedule of a stage: linear warm-up, then the curve that `kind` names."""

    kind: ScheduleKind = "cosine"
    """Curve after the warm-up: half a cosine to zero, constant, or constant and then a decay (`wsd`)."""
    warmup_steps: Annotated[int, Field(ge=0)] | None = None
    """Optimizer steps in which the rate rises linearly from zero."""
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] | None = None
    """One of the two; a ratio is of the stage's steps, rounded down. Neither: no warm-up."""
    decay_ratio: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Of `wsd`: the share of the steps in which the rate falls, linearly, to zero."""


class LoraSpec(Spec):
    """Low-rank adapters on the language model: its own weights stay as they are while the stage trains."""

    rank: Positive
    alpha: Annotated[float, Field(gt=0)]
    """The product of the two small matrices is weighted by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: tuple[str, ...] = ()
    """Names of the linear layers that get adapters (`q_proj`); none: all linear layers but the output layer."""


class PackingSpec(Spec):
    """Rows that hold several records, one after the other: no padding, and no attention across records."""

    tokens: Positive
    """Longest row in positions: BOS, visual tokens and text of its records. One row is one forward pass."""


class StageSpec(Spec):
    """Training stage: what it trains, on which data, how. `epochs` and `max_steps` exclude one another."""

    name: str
    trains: tuple[Module, ...]
    data: MixSpec
    epochs: Annotated[float, Field(gt=0)] | None = None
    max_steps: Positive | None = None
    global_batch: Positive
    optimizer: OptimizerSpec
    schedule: ScheduleSpec = ScheduleSpec()
    precision: Precision = "fp32"
    activation_checkpointing: bool = False
    prompt: PromptStyle | None = None
    """None: the language model's own style. `caption` drops the question, as the align stage of LLaVA does."""
    lora: LoraSpec | None = None
    """Train adapters in the place of the language model's own weights."""
    packing: PackingSpec | None = None
    """None: a record is a row, padded to the longest of its micro-batch. Steps have the same records either way."""


ShownImages = Literal["own", "blank", "swapped"]
"""What questions are asked with: their own images, a grey one, or each with another image of the benchmark."""

SWAP_SEED = 0
"""Seed of the draw that gives every image of a benchmark another one."""

ADDED_BY_IMAGES: Mapping[ShownImages, Mapping[str, str | int]] = {
    "own": {},
    "blank": {"images": "blank"},
    "swapped": {"images": "swapped", "swap_seed": SWAP_SEED},
}
"""What the images add to the identity of a benchmark."""


class ChosenExamples(Spec):
    """Examples of an evaluation set that were chosen by their ids."""

    digest: str
    """Fingerprint of the sorted ids: stands for them in keys."""
    ids: tuple[str, ...] = Field(repr=False)
    """Sorted; every id is there once."""


class BenchmarkSpec(Spec):
    """Evaluation set with its protocol. Not part of a trial's identity."""

    id: Slug
    source: SourceSpec
    select: str | None = None
    """Tag whose records are scored; None for all."""
    protocol: str = "official"
    sample: Positive | None = None
    """Score a fixed, seeded subset of this many records."""
    answers: tuple[str, ...] = ()
    """Closed answer set, scored by likelihood. Empty: every answer that occurs in the records."""
    unit: str = "points"
    images: ShownImages = "own"
    only: ChosenExamples | None = None
    """Score these examples; None for all. Not together with `sample`."""

    @property
    def name(self) -> str:
        """Name among the evaluation sets of a study: the id, or `pope@blank` where other images are shown."""
        return self.id if self.images == "own" else f"{self.id}@{self.images}"

    @property
    def asked(self) -> dict[str, Any]:
        """What is asked, without the data, as keys hold it."""
        only = {} if self.only is None else {"only": self.only.digest}
        dumped = self.model_dump(mode="json", exclude={"source", "images", "only"})
        return {**dumped, **ADDED_BY_IMAGES[self.images], **only}

    def size_of(self, n: int) -> int:
        """Return how many of `n` examples that `select` leaves are scored."""
        return len(self.only.ids) if self.only is not None else min(n, self.sample or n)


@dataclass(frozen=True, slots=True)
class SeedSplit:
    """Seeds of one replicate, by what is drawn from them."""

    __pydantic_config__ = Spec.model_config

    order: int
    """Of the order of records and batches, and of dropout."""
    init: int
    """Of weights that are drawn: projector, random encoders and language models, new embeddings, adapters."""
    data: int
    """Of the records that mixes with `resample: per-seed` draw."""


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """Arm with a seed: everything that determines the trained weights, up to rounding.

    Plans hold a hundred thousand of these, which share their parts: no model of pydantic, which takes ten times the
    memory. What comes from storage is validated like the others.
    """

    __pydantic_config__ = Spec.model_config

    vision: VisionSpec
    projector: ProjectorSpec
    language: LanguageSpec
    stages: Annotated[tuple[StageSpec, ...], Field(min_length=1)]
    seed: int
    """Number of the replicate. Everything is drawn from it, unless `split` says otherwise."""
    split: SeedSplit | None = None
    """Where the study seeds the sources of chance apart; the replicate's number is then no part of identity."""

    @property
    def draws(self) -> SeedSplit:
        """Seed of each source of chance."""
        return self.split or SeedSplit(order=self.seed, init=self.seed, data=self.seed)

    def as_json(self) -> str:
        """Write all fields as indented JSON, for people."""
        return adapter(TrialSpec).dump_json(self, indent=1).decode()
