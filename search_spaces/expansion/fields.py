"""Name the fields of a configuration that a study may set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field

from search_spaces.catalogue.load import Catalogue
from search_spaces.catalogue.recipe_entries import LoraPatch, OptimizerPatch, StagePatch
from search_spaces.spec import Module, ScheduleSpec
from search_spaces.study import Base, LanguageChoice, ProjectorChoice, Study, VisionChoice
from search_spaces.typed import field_kind


@cache
def _base_fields() -> dict[str, Any]:
    """Map the dotted paths below `base` to the types of their values."""
    kinds: dict[str, Any] = {}
    parts: dict[str, type[BaseModel]] = {
        "vision": VisionChoice,
        "projector": ProjectorChoice,
        "language": LanguageChoice,
    }
    for prefix, model in parts.items():
        kinds.update({f"{prefix}.{name}": field_kind(field) for name, field in model.model_fields.items()})
    kinds.update({name: field_kind(field) for name, field in Base.model_fields.items() if name not in parts})
    return kinds


@cache
def _stage_fields() -> dict[str, Any]:
    """Map the dotted paths below a stage of the recipe to the types of their values."""
    kinds: dict[str, Any] = {}
    nested: dict[str, type[BaseModel]] = {"optimizer": OptimizerPatch, "schedule": ScheduleSpec, "lora": LoraPatch}
    for name, field in StagePatch.model_fields.items():
        if name in nested:
            kinds.update({f"{name}.{key}": field_kind(inner) for key, inner in nested[name].model_fields.items()})
        else:
            kinds[name] = field_kind(field)
    del kinds["optimizer.lr_scale"]  # a branch, so that the factor of one module can be an axis
    kinds.update({f"optimizer.lr_scale.{module}": Annotated[float, Field(ge=0)] for module in get_args(Module)})
    return kinds


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


SHORT_FIELDS = {"vision": "vision.backbone", "projector": "projector.kind", "language": "language.model"}
"""Plain text in the place of these mappings stands for one of their fields."""


_RIVALS = (("epochs", "max_steps"), ("warmup_steps", "warmup_ratio"))


def rival(path: str) -> str | None:
    """Return the field that `path` takes the place of, where only one of two may be set."""
    stem, _, name = path.rpartition(".")
    for pair in _RIVALS:
        if name in pair:
            opponent = pair[1 - pair.index(name)]
            return f"{stem}.{opponent}" if stem else opponent
    return None


def stage_names(study: Study, catalogue: Catalogue) -> list[str]:
    """List every stage that some recipe in reach of the study defines."""
    names = [stage for recipe in catalogue.recipes.values() for stage in recipe.stages]
    return list(dict.fromkeys([*names, *(study.recipe.model_extra or {})]))
