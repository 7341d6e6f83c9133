"""Make the toy form of a study: every model tiny, all data generated, few steps. What differed still differs.

A toy run proves that a study runs to its end, on this cluster and with these resources, before anyone spends GPU-hours.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from search_spaces.expansion.resolver import ResolvedArm
from search_spaces.expansion.toy_data import TRAIN_RECORDS, generated_source
from search_spaces.identity import arm_fingerprint, canonical_json, source_name
from search_spaces.resources import ArmResources, accumulation
from search_spaces.spec import (
    LanguageSpec,
    MixPart,
    MixSpec,
    PromptStyle,
    StageSpec,
    TokenizerSpec,
    TowerFamily,
    TrialSpec,
    VisionSpec,
)
from search_spaces.steps import TEXT_ONLY

TOY_STEPS = 3
TOY_BATCH = 8
TEXT_LENGTH = 512
"""Longest toy text, in bytes: the longest system prompt (270 bytes), a question and its answer."""

_STRIDE_16_WIDTH = 48
_TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 1024}
_KEY_VALUE_HEADS: dict[str, dict[str, int]] = {"llama": {}, "mistral": {"num_key_value_heads": 2}, "phi": {}}


class ToyTower(NamedTuple):
    """One of timm's own test models."""

    arch: str
    patch: int
    """Side of a patch, or output stride, in px."""
    width: int
    """Length of a feature."""
    takes_size: bool
    """Whether the architecture is built for one resolution, which it must be told."""


TOY_TOWERS: dict[TowerFamily, ToyTower] = {
    "vit": ToyTower("test_vit", 16, 64, takes_size=True),
    "conv": ToyTower("test_efficientnet", 32, 256, takes_size=False),
}
"""The model that stands for every encoder of a family."""

G = TypeVar("G", bound=Hashable)
T = TypeVar("T", bound=Hashable)


def toy_arms(arms: Sequence[ResolvedArm], resources: Sequence[ArmResources]) -> list[ResolvedArm]:
    """Make arms tiny, in the same order. Arms that differ still differ; most of what they shared they share."""
    ranks = _Ranks(arms, resources)
    tiny = [replace(arm, template=_toy_template(arm, ranks), notes=()) for arm in arms]
    return _told_apart(arms, tiny)


class _Ranks:
    """Ranks of each distinct value among those of all arms: small numbers that keep differences and order."""

    def __init__(self, arms: Sequence[ResolvedArm], resources: Sequence[ArmResources]):
        visions = [arm.template.vision for arm in arms]
        languages = [arm.template.language for arm in arms]
        stages = list(chain.from_iterable(arm.template.stages for arm in arms))
        parts = list(chain.from_iterable(stage.data.parts for stage in stages))
        pooled = [vision for vision in visions if vision.tokens < vision.grid**2]
        self.resolution = _ranked((vision.resolution for vision in visions), largest_first=True)
        self.encoder = _ranked_within((vision.family, _encoder(vision)) for vision in visions)
        self.language = _ranked_within((_toy_family(language), _language(language)) for language in languages)
        self.horizon = _ranked_within((stage.name, _horizon(stage)) for stage in stages)
        self.batch = _ranked_within((stage.name, stage.global_batch) for stage in stages)
        self.count = _ranked(part.count for part in parts if part.count)
        self.source = _ranked(source_name(part.source) for part in parts)
        self.pooled = _ranked_within(((vision.resolution, vision.tokens) for vision in pooled), largest_first=True)
        self.tags = _tags(parts)
        self.smallest_batch = _smallest_batches(arms, resources)


def _smallest_batches(arms: Sequence[ResolvedArm], resources: Sequence[ArmResources]) -> dict[str, int]:
    """Compute small global batches by name of stage.

    All groups share them out evenly, in two micro-batches per worker where some stage of the name has several.

    Args:
        arms: of the study.
        resources: of each of them.
    """
    workers = math.lcm(*(request.arm.workers for request in resources))
    micro_batches: dict[str, int] = {}
    for arm, request in zip(arms, resources, strict=True):
        for stage in arm.template.stages:
            several = 2 if accumulation(stage, request.of(stage.name)) > 1 else 1
            micro_batches[stage.name] = max(micro_batches.get(stage.name, 0), workers * several)
    return {name: -(-TOY_BATCH // number) * number for name, number in micro_batches.items()}


def _ranked(values: Iterable[T], *, largest_first: bool = False) -> dict[T, int]:
    ordered: list[Any] = sorted(set(values), reverse=largest_first)
    return {value: rank for rank, value in enumerate(ordered)}


def _ranked_within(pairs: Iterable[tuple[G, T]], *, largest_first: bool = False) -> dict[G, dict[T, int]]:
    """Rank the values of (group, value) pairs within their group."""
    groups: dict[G, list[T]] = {}
    for group, value in pairs:
        groups.setdefault(group, []).append(value)
    return {group: _ranked(values, largest_first=largest_first) for group, values in groups.items()}


def _tags(parts: Iterable[MixPart]) -> dict[str, set[str]]:
    """Collect the tags that the toy form of each source must carry: those that some mix drops, and `text-only`."""
    tags: dict[str, set[str]] = {}
    for part in parts:
        text_only = {TEXT_ONLY} if part.source.text_only_records else set()
        dropped = set(part.drop) - set(part.source.without)
        tags.setdefault(source_name(part.source), set()).update(dropped, text_only)
    return tags


def _encoder(vision: VisionSpec) -> str:
    """Identify an encoder, whatever its resolution."""
    parts = [_encoder(part) for part in vision.parts]
    return canonical_json([vision.backbone, vision.arch, vision.weights, vision.checkpoint, vision.interpolate, parts])


def _toy_family(language: LanguageSpec) -> str:
    """Choose the toy family of a language model: its own, or the one that most others are like."""
    return language.family if language.family in _KEY_VALUE_HEADS else "llama"


def _toy_style(style: PromptStyle) -> PromptStyle:
    """Replace the chat template, which toy tokenizers do not have."""
    return "chatml" if style == "template" else style


def _language(language: LanguageSpec) -> str:
    return canonical_json(language.model_dump(mode="json", exclude={"prompt"}))


def _horizon(stage: StageSpec) -> tuple[bool, float]:
    """Make a sort key of a stage's length: epochs before steps, short before long."""
    return (stage.max_steps is not None, stage.max_steps or stage.epochs or 0)


def _toy_template(arm: ResolvedArm, ranks: _Ranks) -> TrialSpec:
    spec = arm.template
    return replace(
        spec,
        vision=_toy_vision(spec.vision, ranks),
        language=_toy_language(spec.language, ranks),
        stages=tuple(_toy_stage(stage, ranks) for stage in spec.stages),
    )


def _toy_vision(vision: VisionSpec, ranks: _Ranks) -> VisionSpec:
    sides = max(4, len(ranks.resolution))
    resolution = 16 * (sides - ranks.resolution[vision.resolution])
    is_fine = any(min(tower.patch, _toy_of(tower).patch) <= 16 for tower in vision.towers)  # parts share one grid
    towers = tuple(_toy_tower(tower, resolution, 16 if is_fine else 32) for tower in vision.towers)
    toy = towers[0]
    if vision.parts:
        toy = vision.model_copy(
            update={
                **toy.model_dump(include={"weights", "resolution", "interpolate", "patch", "std"}),
                "arch": "+".join(tower.arch for tower in towers),
                "width": sum(tower.width for tower in towers),
                "parts": towers,
            }
        )
    tell_apart = 0.5 + 0.001 * ranks.encoder[vision.family][_encoder(vision)]
    toy = _tinted(toy, (tell_apart,) * 3)  # encoders of one family become one architecture, shown other colours
    pooled = ranks.pooled[vision.resolution].get(vision.tokens) if vision.tokens < vision.grid**2 else None
    side = toy.grid if pooled is None else max(1, toy.grid - 1 - pooled)
    return toy.model_copy(update={"tokens": side**2})


def is_toy_tower(tower: VisionSpec) -> bool:
    """Check whether a tower is one of timm's test models with the facts that are known here."""
    for form in TOY_TOWERS.values():
        widths = {form.patch: form.width, **({} if form.takes_size else {16: _STRIDE_16_WIDTH})}
        options = {"img_size": tower.resolution} if form.takes_size else {}
        if (tower.arch, tower.options) == (form.arch, options) and tower.checkpoint is None:
            return widths.get(tower.patch) == tower.width
    return False


def _toy_of(tower: VisionSpec) -> ToyTower:
    assert tower.family != "fused", "the parts of a fused encoder are single towers"
    return TOY_TOWERS[tower.family]


def _toy_tower(tower: VisionSpec, resolution: int, patch: int) -> VisionSpec:
    form = _toy_of(tower)
    toy = tower.model_copy(
        update={
            "arch": form.arch,
            "weights": "random",
            "checkpoint": None,
            "resolution": resolution,
            "interpolate": False,
            "patch": patch,
            "width": form.width if patch == form.patch else _STRIDE_16_WIDTH,
            "std": (0.5, 0.5, 0.5),
            "options": {"img_size": resolution} if form.takes_size else {},
            "weights_prefix": "",
        }
    )
    return toy.model_copy(update={"tokens": toy.grid**2})


def _tinted(vision: VisionSpec, mean: tuple[float, float, float]) -> VisionSpec:
    """Make an encoder take this colour for grey, with all its parts."""
    parts = tuple(_tinted(part, mean) for part in vision.parts)
    return vision.model_copy(update={"mean": mean, "parts": parts})


def _toy_language(language: LanguageSpec, ranks: _Ranks) -> LanguageSpec:
    family = _toy_family(language)
    rank = ranks.language[family][_language(language)]
    return language.model_copy(
        update={
            "family": family,
            "checkpoint": None,
            "config": {**_TINY, **_KEY_VALUE_HEADS[family], "intermediate_size": 64 + 8 * rank},
            "tokenizer": TokenizerSpec(kind="bytes"),
            "width": _TINY["hidden_size"],
            "max_length": TEXT_LENGTH,
            "prompt": _toy_style(language.prompt),
            "embedding_multiple": 1,
            "weights_prefix": "",
        }
    )


def _toy_stage(stage: StageSpec, ranks: _Ranks) -> StageSpec:
    warmup = stage.schedule.warmup_steps
    return stage.model_copy(
        update={
            "data": _toy_mix(stage.data, ranks),
            "epochs": None,
            "max_steps": TOY_STEPS + ranks.horizon[stage.name][_horizon(stage)],
            "global_batch": ranks.smallest_batch[stage.name] * (1 + ranks.batch[stage.name][stage.global_batch]),
            "prompt": None if stage.prompt is None else _toy_style(stage.prompt),
            "lora": None if stage.lora is None else stage.lora.model_copy(update={"targets": ()}),
            "schedule": stage.schedule.model_copy(update={"warmup_steps": None if warmup is None else min(warmup, 1)}),
        }
    )


def _toy_mix(mix: MixSpec, ranks: _Ranks) -> MixSpec:
    return mix.model_copy(update={"parts": tuple(_toy_part(part, ranks) for part in mix.parts)})


def _toy_part(part: MixPart, ranks: _Ranks) -> MixPart:
    name = source_name(part.source)
    source = generated_source(part.source.name, ranks.source[name], TRAIN_RECORDS, ranks.tags[name])
    count = None if part.count is None else min(8 + ranks.count[part.count], TRAIN_RECORDS // 4)
    return part.model_copy(update={"source": source, "count": count})


def _told_apart(arms: Sequence[ResolvedArm], tiny: Sequence[ResolvedArm]) -> list[ResolvedArm]:
    """Make arms that became equal by becoming tiny (two warm-ups, say) differ in how they see colours."""
    known: dict[str, dict[str, int]] = {}
    result = []
    for arm, toy in zip(arms, tiny, strict=True):
        alike = known.setdefault(arm_fingerprint(toy.template), {})
        number = alike.setdefault(arm_fingerprint(arm.template), len(alike))
        if number:
            vision = toy.template.vision
            mean = (vision.mean[0], vision.mean[1], vision.mean[2] - 0.001 * number)
            toy = replace(toy, template=replace(toy.template, vision=_tinted(vision, mean)))
        result.append(toy)
    return result
