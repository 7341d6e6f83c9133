"""Represent a configuration, or its difference from another, as dotted paths with values."""

from __future__ import annotations

from typing import Any, NamedTuple

from search_spaces.catalogue.load import Catalogue
from search_spaces.errors import InputError
from search_spaces.rivals import rival
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath


class Leaf(NamedTuple):
    """One value of a configuration, and where it was written."""

    value: Any
    path: KeyPath


Patch = dict[str, Leaf]
"""Dotted path -> value, for some or all fields of a configuration."""


def lay(below: Patch, above: Patch) -> Patch:
    """Lay a patch on top of a configuration; a field that is set removes its rival."""
    result = {**below, **above}
    for path in above:
        opponent = rival(path)
        if opponent is not None and opponent not in above:
            result.pop(opponent, None)
    return result


def difference(base: Patch, patch: Patch) -> dict[str, Any]:
    """List what a patch changes, by dotted path; null for a field that gave way to its rival."""
    changed = {
        path: leaf.value for path, leaf in patch.items() if path not in base or not same(leaf.value, base[path].value)
    }
    opponents = filter(None, map(rival, changed))
    gone = {opponent: None for opponent in opponents if opponent in base and opponent not in patch}
    return {**changed, **gone}


def field_problem(study: Study, leaves: Patch, name: str, law: str, way_out: str | None = None) -> InputError:
    """Make an error at a field or, where it was left out, at the model that makes it wrong.

    Args:
        study: knows the places.
        leaves: the fields of one part of a configuration, `vision` or `language`.
        name: dotted path of the field.
        law: what must hold, and the value that does not.
        way_out: what to write instead.
    """
    if name in leaves:
        return study.problem(leaves[name].path, law, way_out)
    cause = leaves.get("vision.backbone") or leaves["language.model"]
    return study.problem(cause.path, f"{name} {law}", way_out)


def recipe_patch(recipe: str, catalogue: Catalogue, path: KeyPath) -> Patch:
    """Flatten the stages of a catalogue recipe; `path` is the place of all their values."""
    patch: Patch = {}
    for stage, fields in catalogue.recipes[recipe].stages.items():
        for name, value in fields.model_dump(exclude_unset=True, mode="json").items():
            patch.update(_flat(f"recipe.{stage}.{name}", value, path))
    return patch


def _flat(dotted: str, value: Any, path: KeyPath) -> Patch:
    if not isinstance(value, dict):
        return {dotted: Leaf(value, path)}
    return {
        field: leaf for key, inner in value.items() for field, leaf in _flat(f"{dotted}.{key}", inner, path).items()
    }


def same(left: Any, right: Any) -> bool:
    """Compare plain values; true is not 1."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)
