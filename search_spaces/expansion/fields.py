"""Name the fields of a configuration that a study may set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from search_spaces.catalogue.load import Catalogue
from search_spaces.catalogue.recipe_entries import StagePatch
from search_spaces.study import Base, Study
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
def _base_fields() -> dict[str, Any]:
    """Map the dotted paths below `base` to the types of their values."""
    return _paths(Base)


@cache
def _stage_fields() -> dict[str, Any]:
    """Map the dotted paths below a stage of the recipe to the types of their values."""
    return _paths(StagePatch)


@dataclass(frozen=True)
class Fields:
    """Legal dotted paths of a study: those of the base, and `recipe.<stage>.<field>`."""

    kinds: Mapping[str, Any]
    branches: frozenset[str]

    @staticmethod
    def of(stages: Iterable[str]) -> Fields:
        """Collect the paths of a study whose recipes have these stages."""
        kinds = {**_base_fields(), "recipe": str}
        kinds.update({f"recipe.{stage}.{name}": kind for stage in stages for name, kind in _stage_fields().items()})
        branches = {".".join(parts[:n]) for parts in (path.split(".") for path in kinds) for n in range(1, len(parts))}
        return Fields(kinds, frozenset(branches))


def stage_names(study: Study, catalogue: Catalogue) -> list[str]:
    """List every stage that some recipe in reach of the study defines."""
    names = [stage for recipe in catalogue.recipes.values() for stage in recipe.stages]
    return list(dict.fromkeys([*names, *(study.recipe.model_extra or {})]))
