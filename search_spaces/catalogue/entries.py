"""Define the entries of the catalogue. A study may hold entries of its own in the same form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, assert_never

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from search_spaces.names import Slug
from search_spaces.resource_spec import CheckpointCopy, Offload, Padding
from search_spaces.sizes import ConvShape, LanguageShape, VitShape
from search_spaces.spec import (
    PixelSpec,
    Positive,
    PromptStyle,
    ReaderKind,
    Resample,
    TokenizerKind,
    TowerFamily,
)


class Entry(BaseModel):
    """A frozen value that refuses unknown keys and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


Text = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int | float)]
"""Text that looks like a number may be written without quotes."""

Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
NonEmpty = Annotated[str, Field(min_length=1)]
Triple = tuple[float, float, float]


class EncoderEntry(Entry):
    """A vision encoder of one tower."""

    source: str | None = None
    """Where these facts come from."""
    arch: NonEmpty
    """timm architecture."""
    family: TowerFamily
    """Kind of architecture: a transformer over patches, or a convolutional network."""
    resolution: Positive
    """Used where a study names none, in px."""
    native: Positive | None = None
    """Resolution that the architecture and its checkpoint are made for; by default `resolution`. Where they differ,
    position embeddings are interpolated (as Prismatic does with DINOv2)."""
    patch: Positive | None = None
    """Of transformers: side of a patch in px."""
    width: Positive | None = None
    """Of transformers: length of a patch feature."""
    interpolable: bool = True
    """Of transformers: whether a checkpoint fits other resolutions once its position embeddings are interpolated."""
    strides: dict[int, Positive] = {}
    """Of convolutional encoders: output stride in px -> length of a feature. The largest is the default."""
    multiple_of: Positive = 1
    """Of convolutional encoders that do not pad: every resolution must be a multiple of this, in px."""
    mean: Triple
    """Means of red, green and blue that pixels of 0 to 1 are normalised with."""
    std: Triple
    """Standard deviations of red, green and blue that pixels of 0 to 1 are normalised with."""
    checkpoint: str | None = None
    """Declared origin of pretrained weights: `package:NAME`, `hub:ID` or `path:FILE`."""
    options: dict[str, Any] = {}
    """Keyword arguments of the architecture."""
    weights_prefix: str = ""
    """What stands before the names of the encoder's tensors in its file, as in one that was cut out of another model:
    `visual.trunk.`"""
    shape: VitShape | ConvShape | None = None
    """What its size follows from; without it plan says that memory and cost are unknown."""

    @model_validator(mode="after")
    def _has_shape(self) -> EncoderEntry:
        match self.family:
            case "vit":
                if self.patch is None or self.width is None:
                    raise ValueError("an encoder of family vit must have `patch` and `width`")
            case "conv":
                if not self.strides:
                    raise ValueError("an encoder of family conv must have `strides`")
            case unreachable:
                assert_never(unreachable)
        return self


class FusedEntry(Entry):
    """A vision encoder of several towers, whose features are concatenated along the width."""

    source: str | None = None
    """Where these facts come from."""
    parts: Annotated[tuple[NonEmpty, ...], Field(min_length=2)]
    """Names of encoders. Each has its own normalisation, letterbox colour and weights; all must have one grid."""
    resolution: Positive
    """Used where a study names none, in px. Positions of parts that are made for another are interpolated."""


def _towers(value: Any) -> str:
    return "fused" if isinstance(value, FusedEntry) or (isinstance(value, Mapping) and "parts" in value) else "one"


Encoder = Annotated[Annotated[EncoderEntry, Tag("one")] | Annotated[FusedEntry, Tag("fused")], Discriminator(_towers)]


class TokenizerEntry(Entry):
    kind: TokenizerKind
    """Words of a data source, bytes, or the tokenizer of the checkpoint."""
    source: str | None = None
    """Of `words`: the data source whose texts make the vocabulary; by default all that the study's base trains on."""

    @model_validator(mode="after")
    def _has_source(self) -> TokenizerEntry:
        if self.kind != "words" and self.source is not None:
            raise ValueError("`source` must be given for a tokenizer of kind words only")
        return self


_CONFIG_FIELDS = {
    "width": "hidden_size",
    "shape.layers": "num_hidden_layers",
    "shape.heads": "num_attention_heads",
    "shape.kv_heads": "num_key_value_heads",
    "shape.mlp": "intermediate_size",
}
"""Sizes of an entry -> the field of a transformers configuration that says the same."""


class LanguageEntry(Entry):
    """A language model."""

    source: str | None = None
    """Where these facts come from."""
    family: NonEmpty
    """`model_type` of the transformers configuration: llama, mistral, phi, qwen2, ..."""
    checkpoint: str | None = None
    """Declared origin of the weights: `hub:ID@REVISION`, `path:FOLDER`, `path:FILE.gguf`; none to build from `config`,
    at random."""
    config: dict[str, int | float | str | bool] = {}
    """Fields of the transformers configuration class, where the model is built from one."""
    tokenizer: TokenizerEntry = TokenizerEntry(kind="checkpoint")
    """Where its tokens come from."""
    prompt: PromptStyle
    """Chat format that the model was trained with."""
    width: Positive
    """Length of an embedding."""
    max_length: Positive = 2048
    """Longest text in tokens; visual tokens come on top."""
    embedding_multiple: Positive | None = None
    """Rows of the embeddings are a multiple of it; by default 64 for checkpoints of the families of Prismatic VLMs."""
    weights_prefix: str = ""
    """What stands before the names of the model's tensors, where it was wrapped or cut out: `language_model.`"""
    shape: LanguageShape | None = None
    """What its size follows from; without it plan says that memory and cost are unknown."""

    @model_validator(mode="after")
    def _has_weights(self) -> LanguageEntry:
        if self.checkpoint is None and (not self.config or self.tokenizer.kind == "checkpoint"):
            raise ValueError("a language model must have `checkpoint`, or `config` and a tokenizer of its own")
        return self

    @model_validator(mode="after")
    def _is_of_one_size(self) -> LanguageEntry:
        """Check that what is said twice is said alike: an entry that extends another may have changed one alone."""
        shape = {} if self.shape is None else self.shape.model_dump()
        for name, said in {"width": self.width, **{f"shape.{key}": value for key, value in shape.items()}}.items():
            field = _CONFIG_FIELDS.get(name)
            if field in self.config and self.config[field] != said:
                raise ValueError(f"`{name}` must be `config.{field}`, {self.config[field]}, but got {said}")
        return self


class SourceEntry(Entry):
    """A data source."""

    source: str | None = None
    """Where these facts come from."""
    version: Text = "1"
    """Raised by whoever changes the data: `name@version` is the declared name."""
    reader: ReaderKind
    """Format of the source; `official` and `questions` are those of evaluation sets."""
    path: str | None = None
    """File or folder, relative to `--data`."""
    image_folder: str | None = None
    """Folder of the images, relative to `path`; by default where the records say."""
    records: Count | None = None
    """Published counts: plan counts steps with them, preflight checks them."""
    text_only_records: Count = 0
    """Published number of records without an image."""
    images: Count | None = None
    """Published number of images."""
    tags: dict[str, Count] = {}
    """Records that carry each tag."""
    approximate: bool = False
    """The counts are rounded ones, because no exact ones are published."""
    options: dict[str, int | float | str | bool] = {}
    """Further fields of the reader."""
    pixels: PixelSpec = PixelSpec()
    """How images become pixels, where their files leave it open."""


class MixPartEntry(Entry):
    source: NonEmpty
    """Name of a data source."""
    fraction: Fraction | None = None
    """Share of the records that is drawn."""
    count: Positive | None = None
    """Number of records that is drawn."""
    repeat: Positive = 1
    """How often each of them is there: a weight."""
    drop: Annotated[tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...])] = ()
    """Tags whose records are left out (`text-only` among them). `missing` leaves out records whose image is not there,
    `broken` those whose image cannot be read."""

    @model_validator(mode="after")
    def _one_size(self) -> MixPartEntry:
        if self.fraction is not None and self.count is not None:
            raise ValueError("`fraction` and `count` must not both be given")
        return self


class MixEntry(Entry):
    """A data mix."""

    source: str | None = None
    """Where these facts come from."""
    parts: Annotated[tuple[MixPartEntry, ...], Field(min_length=1)]
    """Sources that the mix is made of, with what is taken of each."""
    draw_seed: int = 0
    """Seed of what `fraction` and `count` draw."""
    resample: Resample = "never"
    """Whether `fraction` and `count` draw once for all trials, or anew for each seed."""


class BenchmarkEntry(Entry):
    """An evaluation set with its protocol."""

    source: str | None = None
    """Name of a data source."""
    select: str | None = None
    """Tag whose records are scored; none for all."""
    protocol: str | None = None
    """Rules of asking and scoring; by default the benchmark's own."""
    sample: Positive | None = None
    """Score a fixed, seeded subset of this many records."""
    answers: tuple[Text, ...] | None = None
    """Closed answer set, scored by likelihood. By default every answer that occurs."""
    unit: str | None = None
    """Unit of the score, where the protocol leaves it open."""


class BenchmarkChoice(BenchmarkEntry):
    """A benchmark or a suite by its name; the other fields replace those of the catalogue."""

    id: Slug
    """Name of a benchmark or of a suite."""
    only: NonEmpty | None = None
    """File with the ids of the examples that are scored, a JSON list or one id a line; its path is relative to the
    study. Of one benchmark, and not together with `sample`."""


class StageResources(Entry):
    """Resources that may differ from stage to stage of a trial; those that are not set are the arm's."""

    zero: Literal[0, 1, 2, 3] = 0
    offload: Offload = "none"
    micro_batch: Positive | None = None
    padding: Padding = "auto"
    checkpoint_every_steps: Positive = 500
    checkpoint_every_minutes: Annotated[float, Field(gt=0)] = 10
    checkpoint_copy: CheckpointCopy = "auto"
    deepspeed: dict[str, Any] | str = Field(default_factory=dict)
    """Settings, or the path of a JSON file that holds them, relative to the study."""
