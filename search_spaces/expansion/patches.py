"""Represent a configuration, or its difference from another, as dotted paths with values."""

from __future__ import annotations

from typing import Any, NamedTuple

from search_spaces.catalogue.load import Catalogue
from search_spaces.errors import InputError
from search_spaces.expansion.fields import rival
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath


class Leaf(NamedTuple):
    """One value of a configuration and where it was written."""

    value: Any
    path: KeyPath


Patch = dict[str, Leaf]
"""Dotted path -> value, for some or all fields of a configuration."""


def lay(below: Patch, above: Patch) -> Patch:
    """A configuration with a patch on top of it; a field that is set removes its rival."""
    result = {**below, **above}
    for path in above:
        other = rival(path)
        if other is not None and other not in above:
            result.pop(other, None)
    return result


def difference(base: Patch, patch: Patch) -> dict[str, Any]:
    """What a patch changes, by dotted path; null for a field that gave way to its rival."""
    changed = {
        path: leaf.value for path, leaf in patch.items() if path not in base or not same(leaf.value, base[path].value)
    }
    gone = {other: None for path in changed if (other := rival(path)) and other in base and other not in patch}
    return {**changed, **gone}


def field_problem(study: Study, leaves: Patch, name: str, law: str, way_out: str | None = None) -> InputError:
    """An error at a field, or, where it was left out, at the model that makes it wrong."""
    if name in leaves:
        return study.problem(leaves[name].path, law, way_out)
    cause = leaves.get("vision.backbone") or leaves["language.model"]
    return study.problem(cause.path, f"{name} {law}", way_out)


def recipe_patch(recipe: str, catalogue: Catalogue, path: KeyPath) -> Patch:
    """The stages of a catalogue recipe, flat."""
    patch: Patch = {}
    for stage, fields in catalogue.recipes[recipe].stages.items():
        for name, value in fields.model_dump(exclude_unset=True, mode="json").items():
            patch.update(_flat(f"recipe.{stage}.{name}", value, path))
    return patch


def _flat(dotted: str, value: Any, path: KeyPath) -> Patch:
    if not isinstance(value, dict):
        return {dotted: Leaf(value, path)}
    return {one: leaf for key, inner in value.items() for one, leaf in _flat(f"{dotted}.{key}", inner, path).items()}


def same(one: Any, other: Any) -> bool:
    """Equality of plain values in which true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
