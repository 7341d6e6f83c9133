"""Name the fields of a configuration that a study may set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.catalogue.load import Catalogue
from search_spaces.field_paths import base_fields, stage_fields
from search_spaces.study import Study


@dataclass(frozen=True)
class Fields:
    """Legal dotted paths of a study: those of the base, and `recipe.<stage>.<field>`."""

    kinds: Mapping[str, Any]
    branches: frozenset[str]

    @staticmethod
    def of(stages: Iterable[str]) -> Fields:
        """Collect the paths of a study whose recipes have these stages."""
        kinds = {**base_fields(), "recipe": str}
        kinds.update({f"recipe.{stage}.{name}": kind for stage in stages for name, kind in stage_fields().items()})
        branches = {".".join(parts[:n]) for parts in (path.split(".") for path in kinds) for n in range(1, len(parts))}
        return Fields(kinds, frozenset(branches))


def stage_names(study: Study, catalogue: Catalogue) -> list[str]:
    """List every stage that some recipe in reach of the study defines."""
    names = [stage for recipe in catalogue.recipes.values() for stage in recipe.stages]
    return list(dict.fromkeys([*names, *(study.recipe.model_extra or {})]))
