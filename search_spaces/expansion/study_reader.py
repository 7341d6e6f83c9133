"""Read the parts of a study into patches and collect what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.errors import InputError, nearest
from search_spaces.expansion.fields import SHORT_FIELDS, Fields, rival
from search_spaces.expansion.patches import Leaf, Patch
from search_spaces.study import Study
from search_spaces.typed import typed
from search_spaces.yaml_source import KeyPath, show


class PatchReader:
    """Reads mappings of (nested or dotted) paths into patches, collecting what is wrong."""

    def __init__(self, study: Study, fields: Fields, problems: list[InputError]):
        self._study, self._fields, self._problems = study, fields, problems

    def read(self, mapping: Mapping[str, Any], path: KeyPath) -> Patch:
        patch: Patch = {}
        for key, value in mapping.items():
            self.read_value(key, value, (*path, key), patch)
        for one in patch:
            other = rival(one)
            if other in patch and one < str(other):
                self._problems.append(self._study.problem(path, f"`{one}` and `{other}` must not both be given"))
        return patch

    def is_field(self, dotted: str) -> bool:
        return dotted in self._fields.kinds or dotted in SHORT_FIELDS

    def are_below(self, branch: str, values: Mapping[str, Any]) -> bool:
        """Whether these are fields of one part of a configuration: ``kind`` and ``depth`` of ``projector``."""
        return bool(values) and all(f"{branch}.{key}" in self._fields.kinds for key in values)

    def read_value(self, dotted: str, value: Any, path: KeyPath, patch: Patch) -> None:
        if dotted in SHORT_FIELDS and isinstance(value, str):
            dotted = SHORT_FIELDS[dotted]
        is_branch = dotted in self._fields.branches
        if is_branch and isinstance(value, dict):
            for key, child in value.items():
                self.read_value(f"{dotted}.{key}", child, (*path, key), patch)
        elif dotted in self._fields.kinds:
            _, problems = typed(self._fields.kinds[dotted], self._study.document, path, value)
            self._problems.extend(problems)
            if dotted in patch:
                self._problems.append(self._study.problem(path, f"`{dotted}` must be set once, but it is set twice"))
            if not problems:
                patch[dotted] = Leaf(value, path)
        elif is_branch:
            self._problems.append(self._study.problem(path, f"must be a mapping of fields, but got {show(value)!r}"))
        else:
            self._problems.append(self.unknown(dotted, path))

    def unknown(self, dotted: str, path: KeyPath) -> InputError:
        """The error for a path that no configuration has."""
        first = dotted.partition(".")[0]
        if first in ("seed", "seeds"):
            return self._study.problem(path, "seeds are replicates, never an axis", "List them under `seeds`.")
        if first == "resources":
            return self._study.problem(
                path, "resources change rounding at most, so they are no axis", "Use `arms.<name>.resources`."
            )
        legal = [*self._fields.kinds, *sorted(self._fields.branches)]
        by_end = [one for one in legal if one.endswith("." + dotted)]
        way_out = f"Did you mean {by_end[0]!r}?" if by_end else nearest(dotted, legal)
        top = sorted({one.partition(".")[0] for one in legal})
        return self._study.problem(
            path, f"must be the path of a field of the base ({', '.join(top)}, ...), but got {dotted!r}", way_out
        )


def base_patch(study: Study, reader: PatchReader) -> Patch:
    """The base and the study's own changes of the recipe, flat."""
    tree = study.document.value
    own = {name: stage for name, stage in tree["recipe"].items() if name != "extends"}
    patch = reader.read({"recipe": own}, ()) if own else {}
    patch.update(reader.read(tree["base"], ("base",)))
    if study.recipe.extends is not None:
        patch["recipe"] = Leaf(study.recipe.extends, ("recipe", "extends"))
    return patch
