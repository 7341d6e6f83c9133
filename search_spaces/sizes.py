"""Count the parameters of a model by arithmetic on published shapes. No torch; a test builds every model and compares.

What a shape leaves open is unknown, never guessed: `model_size` then names what it lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, assert_never, get_args

from search_spaces.projectors import ProjectorLayer
from search_spaces.spec import LanguageSpec, Module, Positive, ProjectorSpec, Spec, TrialSpec, VisionSpec

SizedFamily = Literal["llama", "mistral", "phi"]
"""Families of language models whose decoder layers are known here."""

EMBEDDING_MULTIPLE = 64
"""Prismatic VLMs add `<PAD>` and pad the embeddings to a multiple of this (models/backbones/llm/base_llm.py)."""


class VitShape(Spec):
    """Architecture of a vision transformer, besides patch and width."""

    depth: Positive
    """Number of blocks. The last one gives no features, but its weights are there."""
    heads: Positive
    """Attention heads of a block."""
    mlp: Positive
    """Width of the hidden layer of a block."""
    class_token: bool = True
    """Whether a class token stands before the patches."""
    registers: int = 0
    """Further tokens beside the class token."""
    prefix_positions: bool = True
    """The class token has a position embedding, too."""
    patch_bias: bool = True
    """Whether the patch embedding has a bias."""
    norm_pre: bool = False
    """Whether a norm comes before the first block."""
    layer_scale: bool = False
    """Whether the branches of a block are scaled by learned factors."""
    attention_pool: bool = False
    """A pooling head, as SigLIP has one: not used for features, but part of the weights."""

    @property
    def prefix(self) -> int:
        """Tokens in front of the patches."""
        return self.class_token + self.registers


class ConvShape(Spec):
    """Convolutional encoder by its published totals, without a classifier."""

    parameters: Positive
    """Number of weights."""
    macs: Positive
    """Multiply-adds of one image at the entry's resolution."""


class LanguageShape(Spec):
    """Architecture of a causal language model, besides its width."""

    layers: Positive
    """Number of transformer blocks."""
    heads: Positive
    """Attention heads of the queries."""
    kv_heads: Positive
    """Attention heads of keys and values; fewer than `heads` where they are shared."""
    mlp: Positive
    """Width of the hidden layer of an MLP."""
    vocabulary: Positive
    """Rows of the checkpoint's table of embeddings."""
    tied: bool = False
    """Input and output embeddings are one table."""
    padded: bool = False
    """A padding token is added and the table padded to a multiple of 64 when the model is loaded."""

    @property
    def rows(self) -> int:
        """Rows of the table of embeddings as the model is trained."""
        multiple = EMBEDDING_MULTIPLE if self.padded else 1
        return -(-(self.vocabulary + self.padded) // multiple) * multiple


@dataclass(frozen=True)
class EncoderSize:
    """Size of one vision encoder at the resolution it is used at."""

    shape: VitShape | ConvShape
    patch: int
    width: int
    grid: int
    """Side of the square of patches."""
    scale: float = 1.0
    """Of convolutions: pixels, relative to those that `macs` is counted with."""

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return self.shape.parameters if isinstance(self.shape, ConvShape) else vit_parameters(self)

    @property
    def used(self) -> int:
        """Parameters that features depend on; the rest stays frozen where an encoder trains. Of convolutions, all."""
        if isinstance(self.shape, ConvShape):
            return self.parameters
        return self.parameters - vit_block_parameters(self.shape, self.width) - 2 * self.width - _pool(self)

    @property
    def tokens(self) -> int:
        """Tokens of an image inside the encoder, class and register tokens included."""
        return self.grid**2 + (self.shape.prefix if isinstance(self.shape, VitShape) else 0)


@dataclass(frozen=True)
class ModelSize:
    """Size of an arm's model, from which its parameters, memory and operations follow; equal models share one."""

    encoders: tuple[EncoderSize, ...]
    """More than one where features of several encoders are concatenated."""
    image_tokens: int
    projector: ProjectorSpec
    language: LanguageShape
    family: SizedFamily
    width: int
    """Width of the language model's embeddings."""

    @cached_property
    def feature_width(self) -> int:
        """Width of a visual feature, those of all encoders concatenated."""
        return sum(encoder.width for encoder in self.encoders)

    @cached_property
    def projector_layers(self) -> tuple[ProjectorLayer, ...]:
        """Layers of the projector, from the first to the last."""
        return self.projector.stack(self.feature_width, self.width)

    @cached_property
    def parameters(self) -> Mapping[Module, int]:
        """Number of parameters of each module."""
        return {
            "vision": sum(encoder.parameters for encoder in self.encoders),
            "projector": sum(layer.parameters for layer in self.projector_layers),
            "language": language_parameters(self.family, self.width, self.language),
        }


def vit_parameters(encoder: EncoderSize) -> int:
    """Count the parameters of timm's VisionTransformer without a classifier (timm 1.0.31, vision_transformer.py)."""
    shape, width = encoder.shape, encoder.width
    assert isinstance(shape, VitShape)
    positions = encoder.grid**2 + (shape.class_token if shape.prefix_positions else 0)
    embeddings = width * (shape.prefix + positions + 3 * encoder.patch**2 + shape.patch_bias)
    norms = 2 * width * (1 + shape.norm_pre)
    return embeddings + norms + _pool(encoder) + shape.depth * vit_block_parameters(shape, width)


def _pool(encoder: EncoderSize) -> int:
    """Count the parameters of SigLIP's head: a latent query, an attention over the patches, a norm, an MLP."""
    shape, width = encoder.shape, encoder.width
    if not isinstance(shape, VitShape) or not shape.attention_pool:
        return 0
    attention = width + _linear(width, width) + _linear(width, 2 * width) + _linear(width, width)
    return attention + 2 * width + _mlp(width, shape.mlp)


def vit_block_parameters(shape: VitShape, width: int) -> int:
    """Count the parameters of one block of a vision transformer."""
    attention = _linear(width, 3 * width) + _linear(width, width)
    return attention + _mlp(width, shape.mlp) + 4 * width + (2 * width if shape.layer_scale else 0)


def language_parameters(family: SizedFamily, width: int, shape: LanguageShape) -> int:
    """Count the parameters of transformers' LlamaForCausalLM, MistralForCausalLM and PhiForCausalLM (5.23).

    Args:
        family: `model_type` of the transformers configuration.
        width: width of an embedding.
        shape: the rest of the architecture.
    """
    tables = shape.rows * width * (1 if shape.tied else 2)
    layers = shape.layers * layer_parameters(family, width, shape)
    match family:
        case "llama" | "mistral":
            return tables + width + layers
        case "phi":  # a bias of the head, and a layer norm in the place of an RMS norm
            return tables + shape.rows + 2 * width + layers
        case _:
            assert_never(family)


def layer_parameters(family: SizedFamily, width: int, shape: LanguageShape) -> int:
    """Count the parameters of a decoder layer; the arguments are those of `language_parameters`."""
    linears = decoder_linears(family, width, shape).values()
    weights = sum(inner * outer for inner, outer in linears)
    match family:
        case "llama" | "mistral":  # two RMS norms
            return weights + 2 * width
        case "phi":  # one layer norm, and biases
            return weights + sum(outer for _, outer in linears) + 2 * width
        case _:
            assert_never(family)


def decoder_linears(family: SizedFamily, width: int, shape: LanguageShape) -> dict[str, tuple[int, int]]:
    """Map the linear layers of a decoder layer, as transformers names them, to (width in, width out).

    The arguments are those of `language_parameters`.
    """
    kv, mlp = kv_width(width, shape), shape.mlp
    attention = {"q_proj": (width, width), "k_proj": (width, kv), "v_proj": (width, kv)}
    match family:
        case "llama" | "mistral":
            attention |= {"o_proj": (width, width)}
            feed_forward = {"gate_proj": (width, mlp), "up_proj": (width, mlp), "down_proj": (mlp, width)}
        case "phi":
            attention |= {"dense": (width, width)}
            feed_forward = {"fc1": (width, mlp), "fc2": (mlp, width)}
        case _:
            assert_never(family)
    named = {f"self_attn.{name}": widths for name, widths in attention.items()}
    return named | {f"mlp.{name}": widths for name, widths in feed_forward.items()}


def kv_width(width: int, shape: LanguageShape) -> int:
    """Return the width of keys and of values: smaller than the embedding where heads share them."""
    return width // shape.heads * shape.kv_heads


def _linear(width_in: int, width_out: int) -> int:
    return width_in * width_out + width_out


def _mlp(width: int, hidden: int) -> int:
    return _linear(width, hidden) + _linear(hidden, width)


# ---------------------------------------------------------------- from specifications


class EncoderFacts(Spec):
    """Facts of the catalogue about an encoder's size; they hold for the architecture `arch` only."""

    arch: str
    resolution: Positive
    shape: VitShape | ConvShape


class LanguageFacts(Spec):
    """Facts of the catalogue about a language model's size; they hold for this checkpoint or configuration only."""

    checkpoint: str | None
    config: dict[str, int | float | str | bool]
    shape: LanguageShape


@dataclass(frozen=True)
class KnownSizes:
    """Facts about sizes, by the names of the catalogue and of the study's own entries; others are unknown."""

    encoders: Mapping[str, EncoderFacts]
    languages: Mapping[str, LanguageFacts]

    def with_checkpoints(self, shapes: Mapping[str, LanguageShape]) -> KnownSizes:
        """Add the shapes of checkpoints that are named by their origin."""
        found = {origin: LanguageFacts(checkpoint=origin, config={}, shape=shape) for origin, shape in shapes.items()}
        return KnownSizes(self.encoders, {**self.languages, **found})


def model_size(trial: TrialSpec, known: KnownSizes) -> ModelSize | None:
    """Look up the size of a trial's model; None where the facts of a part are not known."""
    language, family = language_shape(trial.language, known), sized_family(trial.language.family)
    encoders = [encoder_size(tower, known) for tower in trial.vision.towers]
    sized = tuple(encoder for encoder in encoders if encoder is not None)
    if language is None or family is None or len(sized) < len(encoders):
        return None
    return ModelSize(
        encoders=sized,
        image_tokens=trial.vision.tokens,
        projector=trial.projector,
        language=language,
        family=family,
        width=trial.language.width,
    )


def encoder_size(vision: VisionSpec, known: KnownSizes) -> EncoderSize | None:
    """Look up the size of an encoder of one tower; None where its facts are not known."""
    facts = known.encoders.get(vision.backbone)
    if facts is None or facts.arch != vision.arch:
        return None
    scale = (vision.resolution / facts.resolution) ** 2
    return EncoderSize(facts.shape, vision.patch, vision.width, vision.grid, scale)


def sized_family(name: str) -> SizedFamily | None:
    """Return the family of a `model_type` of transformers; None where its layers are not known here."""
    families: tuple[SizedFamily, ...] = get_args(SizedFamily)
    return next((family for family in families if family == name), None)


def language_shape(language: LanguageSpec, known: KnownSizes) -> LanguageShape | None:
    """Look up the shape of a language model; None where its facts are not known."""
    facts = known.languages.get(language.name)
    if (
        facts is None
        or sized_family(language.family) is None
        or (facts.checkpoint, facts.config) != (language.checkpoint, language.config)
    ):
        return None
    return facts.shape
