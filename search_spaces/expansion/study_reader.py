"""Read the parts of a study into patches and collect what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from search_spaces.errors import InputError, Problems
from search_spaces.expansion.fields import Fields
from search_spaces.expansion.patches import Leaf, Patch
from search_spaces.field_paths import near_fields
from search_spaces.rivals import rival
from search_spaces.short_forms import SHORT_FIELDS
from search_spaces.study import Study
from search_spaces.typed import typed
from search_spaces.yaml_source import KeyPath, show

NEVER_AXES = frozenset({"seed", "seeds", "resources"})
"""Names that are no axis in whatever form."""


class StudyReader:
    """Reader of one study: turns mappings of (nested or dotted) paths into patches and collects problems.

    Args:
        study: what a user wrote.
        fields: the dotted paths that its configurations have.
    """

    def __init__(self, study: Study, fields: Fields):
        self.study, self._fields = study, fields
        self.problems = Problems()
        """What was found wrong so far, in the order of reading."""

    def refuse(self, path: KeyPath, law: str, way_out: str | None = None) -> None:
        """Collect a problem at a key path of the study."""
        self.problems.add(self.study.problem(path, law, way_out))

    def read(self, mapping: Mapping[str, Any], path: KeyPath) -> Patch:
        """Read a mapping of paths to values as a patch; what is refused is left out of it."""
        patch: Patch = {}
        for key, value in mapping.items():
            self.read_value(key, value, (*path, key), patch)
        for field in patch:
            opponent = rival(field)
            if opponent in patch and field < str(opponent):
                self.refuse(path, f"`{field}` and `{opponent}` must not both be given")
        return patch

    def is_field(self, dotted: str) -> bool:
        """Tell whether a dotted path names a field of a configuration, or a part that has a short form."""
        return dotted in self._fields.kinds or dotted in SHORT_FIELDS

    def is_branch(self, dotted: str) -> bool:
        """Tell whether a dotted path names a part of a configuration that has fields."""
        return dotted in self._fields.branches

    def kind_of(self, dotted: str) -> Any:
        """Return the annotation of a field; None of a path that is no field."""
        return self._fields.kinds.get(dotted)

    def is_legal(self, dotted: str, value: Any, path: KeyPath) -> bool:
        """Tell whether a field may have a value, as far as its type says."""
        try:
            typed(self._fields.kinds[dotted], self.study.document, path, value)
        except InputError:
            return False
        return True

    def are_below(self, branch: str, values: Mapping[str, Any]) -> bool:
        """Tell whether these are fields of one part of a configuration: ``kind`` and ``depth`` of ``projector``."""
        return bool(values) and all(f"{branch}.{key}" in self._fields.kinds for key in values)

    def read_value(self, dotted: str, value: Any, path: KeyPath, patch: Patch) -> None:
        """Read one value into a patch.

        Args:
            dotted: the path of a field, or of a part whose fields are the keys of `value`.
            value: what the study has there.
            path: where the study has it.
            patch: gets the value, or the values of all fields below; nothing where they are refused.
        """
        if dotted in SHORT_FIELDS and isinstance(value, str):
            dotted = SHORT_FIELDS[dotted]
        is_branch = dotted in self._fields.branches
        if is_branch and isinstance(value, dict):
            for key, child in value.items():
                self.read_value(f"{dotted}.{key}", child, (*path, key), patch)
        elif dotted in self._fields.kinds:
            self._read_leaf(dotted, Leaf(value, path), patch)
        elif is_branch:
            self.refuse(path, f"must be a mapping of fields, but got {show(value)!r}")
        else:
            self.problems.add(self.unknown(dotted, path))

    def _read_leaf(self, dotted: str, leaf: Leaf, patch: Patch) -> None:
        try:
            typed(self._fields.kinds[dotted], self.study.document, leaf.path, leaf.value)
            is_legal = True
        except InputError as error:
            self.problems.add(error)
            is_legal = False
        if dotted in patch:
            self.refuse(leaf.path, f"`{dotted}` must be set once, but it is set twice")
        if is_legal:
            patch[dotted] = leaf

    def without_effect(self, field: str, value: Any, path: KeyPath) -> InputError:
        """Make the error for a value of a field that is not the base's and changes nothing all the same."""
        stages, parts = self.study.base.stages, field.split(".")
        if parts[0] == "recipe" and len(parts) > 2 and parts[1] not in stages:
            law = f"must change something at a stage of the base ({', '.join(stages)}), but got {field!r}"
            near = self.near_fields(".".join(parts[2:]), self.study.axes) if path[-1] == field else []
            own = [name for name in near if name.startswith("recipe.")]
            return self.study.problem(path, law, f"Did you mean {' or '.join(map(repr, own))}?" if own else None)
        law = f"must change something, but with {field}: {show(value)} the model is the base's"
        return self.study.problem(path, law, "Another field of the base, or of the recipe, decides it.")

    def near_fields(self, dotted: str, taken: Collection[str] = ()) -> list[str]:
        """List the fields of the study's base that a path could stand for; `taken` ones are named already."""
        return near_fields(dotted, self.study.base.stages, taken)

    def unknown(self, dotted: str, path: KeyPath, taken: Collection[str] = ()) -> InputError:
        """Make the error for a path that no configuration has; `taken` are fields that must not be suggested."""
        first = dotted.partition(".")[0]
        if first in ("seed", "seeds"):
            return self.study.problem(path, "seeds are replicates, never an axis", "List them under `seeds`.")
        if first == "resources":
            return self.study.problem(
                path, "resources change rounding at most, so they are no axis", "Use `arms.<name>.resources`."
            )
        near = self.near_fields(dotted, taken)
        way_out = f"Did you mean {' or '.join(map(repr, near))}?" if near else None
        top = sorted({field.partition(".")[0] for field in self._fields.kinds})
        return self.study.problem(
            path, f"must be the path of a field of the base ({', '.join(top)}, ...), but got {dotted!r}", way_out
        )


def base_patch(reader: StudyReader) -> Patch:
    """Read the base, and the study's own changes of the recipe, as one flat patch."""
    study, tree = reader.study, reader.study.document.value
    own = {name: stage for name, stage in tree["recipe"].items() if name != "extends"}
    patch = reader.read({"recipe": own}, ()) if own else {}
    patch.update(reader.read(tree["base"], ("base",)))
    if study.recipe.extends is not None:
        patch["recipe"] = Leaf(study.recipe.extends, ("recipe", "extends"))
    return patch
