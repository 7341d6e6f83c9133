"""Name the fields of a configuration by their dotted paths, and find those that a wrong path could stand for."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from search_spaces.catalogue.recipe_entries import StagePatch
from search_spaces.study import Base
from search_spaces.typed import field_kind, nested_models


def _paths(model: type[BaseModel]) -> dict[str, Any]:
    """Map the dotted paths of a model's values, those of the models inside it included, to their types."""
    kinds: dict[str, Any] = {}
    inside = nested_models(model)
    for name, field in model.model_fields.items():
        below = _paths(inside[name]) if name in inside else _choices(field)
        kinds.update({f"{name}.{key}": kind for key, kind in below.items()} if below else {name: field_kind(field)})
    return kinds


def _choices(field: FieldInfo) -> dict[str, Any]:
    """Map the names that a mapping's keys are chosen from to the type of its values, so that each can be an axis."""
    if get_origin(field.annotation) is not dict:
        return {}
    keys, values = get_args(field.annotation)
    return dict.fromkeys(get_args(keys), values) if get_origin(keys) is Literal else {}


@cache
def base_fields() -> dict[str, Any]:
    """Map the dotted paths below `base` to the types of their values."""
    return _paths(Base)


@cache
def stage_fields() -> dict[str, Any]:
    """Map the dotted paths below a stage of the recipe to the types of their values."""
    return _paths(StagePatch)


_USUAL_NAMES = {
    "learning_rate": "optimizer.lr",
    "batch_size": "global_batch",
    "optimizer": "optimizer.kind",
    "optim": "optimizer.kind",
    "scheduler": "schedule.kind",
    "lr_scheduler": "schedule.kind",
    "num_train_epochs": "epochs",
    "lora_rank": "lora.rank",
    "lora_r": "lora.rank",
    "image_size": "vision.resolution",
    "img_size": "vision.resolution",
    "encoder": "vision.backbone",
    "vision_encoder": "vision.backbone",
    "vision_tower": "vision.backbone",
    "llm": "language.model",
    "language_model": "language.model",
    "dataset": "data",
}
"""What fields are called elsewhere."""


def near_fields(dotted: str, stages: Collection[str], taken: Collection[str] = ()) -> list[str]:
    """List the fields that a path could stand for: those that end on it, else the most similar one.

    Args:
        dotted: the path that is no field.
        stages: of the study's base; fields of other stages would change nothing.
        taken: fields that are named already.
    """
    of_stages = [f"recipe.{stage}.{name}" for stage in stages for name in stage_fields()]
    legal = [field for field in (*base_fields(), *of_stages) if field not in taken]
    name = _USUAL_NAMES.get(dotted.rpartition(".")[2].replace("-", "_").lower(), dotted)
    by_end = [field for field in legal if field == name or field.endswith(f".{name}")]
    return by_end or difflib.get_close_matches(dotted, legal, n=1, cutoff=0.5)
