"""From a study to its arms: flat configurations of dotted paths, each a difference from the base.

Names are not looked up here and nothing is known about models; see `resolve`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any, NamedTuple, get_args

from pydantic import BaseModel, Field

from search_spaces.catalogue.entries import LoraPatch, OptimizerPatch, StagePatch
from search_spaces.catalogue.load import Catalogue
from search_spaces.errors import InputError, nearest
from search_spaces.spec import Module, ScheduleSpec
from search_spaces.study import Base, LanguageChoice, ProjectorChoice, Resources, Study, VisionChoice
from search_spaces.typed import field_kind, typed
from search_spaces.yaml_source import KeyPath, show

_BESIDE_FIELDS = {"note", "resources"}
"""Keys of a named arm that are no fields of its configuration."""

MOST_ARMS = 100_000
"""A larger design is taken for a slip of the pen."""


class Leaf(NamedTuple):
    """One value of a configuration and where it was written."""

    value: Any
    path: KeyPath


Patch = dict[str, Leaf]
"""Dotted path -> value, for some or all fields of a configuration."""


@dataclass(frozen=True)
class ArmDraft:
    """An arm before names are looked up."""

    name: str
    patch: Patch
    """What differs from the base, as written."""
    values: dict[str, str]
    """Axis -> label."""
    path: KeyPath
    """Where it comes from: the base, an axis value, or an entry of `arms`."""
    named: bool = False
    note: str | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the study's resources."""


@dataclass(frozen=True)
class AxisValue:
    label: str
    patch: Patch
    path: KeyPath
    is_base: bool = False


@dataclass(frozen=True)
class Axis:
    name: str
    values: tuple[AxisValue, ...]
    fields: frozenset[str]
    """Dotted paths that its values set."""


# ---------------------------------------------------------------- fields of a configuration


@cache
def _base_fields() -> dict[str, Any]:
    """Dotted path below `base` -> the type of its value."""
    kinds: dict[str, Any] = {}
    parts: dict[str, type[BaseModel]] = {
        "vision": VisionChoice,
        "projector": ProjectorChoice,
        "language": LanguageChoice,
    }
    for prefix, model in parts.items():
        kinds.update({f"{prefix}.{name}": field_kind(one) for name, one in model.model_fields.items()})
    kinds.update({name: field_kind(one) for name, one in Base.model_fields.items() if name not in parts})
    return kinds


@cache
def _stage_fields() -> dict[str, Any]:
    kinds: dict[str, Any] = {}
    nested: dict[str, type[BaseModel]] = {"optimizer": OptimizerPatch, "schedule": ScheduleSpec, "lora": LoraPatch}
    for name, one in StagePatch.model_fields.items():
        if name in nested:
            kinds.update({f"{name}.{key}": field_kind(inner) for key, inner in nested[name].model_fields.items()})
        else:
            kinds[name] = field_kind(one)
    del kinds["optimizer.lr_scale"]  # a branch, so that the factor of one module can be an axis
    kinds.update({f"optimizer.lr_scale.{module}": Annotated[float, Field(ge=0)] for module in get_args(Module)})
    return kinds


@dataclass(frozen=True)
class Fields:
    """The legal dotted paths of a study: those of the base, and `recipe.<stage>.<field>`."""

    kinds: Mapping[str, Any]
    branches: frozenset[str]

    @staticmethod
    def of(stages: Iterable[str]) -> Fields:
        kinds = {**_base_fields(), "recipe": str}
        kinds.update({f"recipe.{stage}.{name}": kind for stage in stages for name, kind in _stage_fields().items()})
        branches = {".".join(parts[:n]) for parts in (path.split(".") for path in kinds) for n in range(1, len(parts))}
        return Fields(kinds, frozenset(branches))


_SHORT = {"vision": "vision.backbone", "projector": "projector.kind", "language": "language.model"}
"""Plain text in the place of these mappings stands for one of their fields."""

_RIVALS = (("epochs", "max_steps"), ("warmup_steps", "warmup_ratio"))


def rival(path: str) -> str | None:
    """The field that `path` takes the place of, where only one of two may be set."""
    stem, _, name = path.rpartition(".")
    for pair in _RIVALS:
        if name in pair:
            other = pair[1 - pair.index(name)]
            return f"{stem}.{other}" if stem else other
    return None


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


class PatchReader:
    """Reads mappings of (nested or dotted) paths into patches, collecting what is wrong."""

    def __init__(self, study: Study, fields: Fields, problems: list[InputError]):
        self._study, self._fields, self._problems = study, fields, problems

    def read(self, mapping: Mapping[str, Any], path: KeyPath) -> Patch:
        patch: Patch = {}
        for key, value in mapping.items():
            self._read(key, value, (*path, key), patch)
        for one in patch:
            other = rival(one)
            if other in patch and one < str(other):
                self._problems.append(self._study.problem(path, f"`{one}` and `{other}` must not both be given"))
        return patch

    def is_field(self, dotted: str) -> bool:
        return dotted in self._fields.kinds or dotted in _SHORT

    def are_below(self, branch: str, values: Mapping[str, Any]) -> bool:
        """Whether these are fields of one part of a configuration: ``kind`` and ``depth`` of ``projector``."""
        return bool(values) and all(f"{branch}.{key}" in self._fields.kinds for key in values)

    def _read(self, dotted: str, value: Any, path: KeyPath, patch: Patch) -> None:
        if dotted in _SHORT and isinstance(value, str):
            dotted = _SHORT[dotted]
        is_branch = dotted in self._fields.branches
        if is_branch and isinstance(value, dict):
            for key, child in value.items():
                self._read(f"{dotted}.{key}", child, (*path, key), patch)
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


# ---------------------------------------------------------------- base and recipe


def stage_names(study: Study, catalogue: Catalogue) -> list[str]:
    """Every stage that some recipe in reach of the study defines."""
    names = [stage for recipe in catalogue.recipes.values() for stage in recipe.stages]
    return list(dict.fromkeys([*names, *(study.recipe.model_extra or {})]))


def base_patch(study: Study, reader: PatchReader) -> Patch:
    """The base and the study's own changes of the recipe, flat."""
    tree = study.document.value
    own = {name: stage for name, stage in tree["recipe"].items() if name != "extends"}
    patch = reader.read({"recipe": own}, ()) if own else {}
    patch.update(reader.read(tree["base"], ("base",)))
    if study.recipe.extends is not None:
        patch["recipe"] = Leaf(study.recipe.extends, ("recipe", "extends"))
    return patch


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


# ---------------------------------------------------------------- axes


def read_axes(study: Study, base: Patch, reader: PatchReader, problems: list[InputError]) -> list[Axis]:
    """The axes with their values as patches; what equals the base's own value is marked so."""
    axes = []
    for name, written in study.axes.items():
        path: KeyPath = ("axes", name)
        if isinstance(written, list):
            entries: list[tuple[str, Any, KeyPath]] = [
                (label, item, (*path, i))
                for i, (label, item) in enumerate(zip(axis_labels(study, name), written, strict=True))
            ]
        elif isinstance(written, dict):
            entries = [(label, value, (*path, label)) for label, value in written.items()]
        else:
            problems.append(study.problem(path, f"must be a list of values, or a mapping, but got {show(written)!r}"))
            continue
        if not entries:
            problems.append(study.problem(path, "an axis must have at least one value, but it has none"))
            continue
        axes.append(_read_axis(study, name, entries, base, reader, problems))
    return axes


def _read_axis(
    study: Study,
    name: str,
    entries: Sequence[tuple[str, Any, KeyPath]],
    base: Patch,
    reader: PatchReader,
    problems: list[InputError],
) -> Axis:
    values: dict[str, AxisValue] = {}
    for label, value, path in entries:
        if isinstance(value, dict):
            patch = reader.read({name: value} if reader.are_below(name, value) else value, path)
        elif not reader.is_field(name):
            problems.append(reader.unknown(name, ("axes", name)))
            break
        else:
            patch = {}
            reader._read(name, value, path, patch)
        if label in values:
            problems.append(study.problem(path, f"the values of an axis must differ, but {label!r} is there twice"))
        is_base = all(same(leaf.value, base[one].value if one in base else None) for one, leaf in patch.items())
        values[label] = AxisValue(label, patch, path, is_base)
    fields = frozenset(one for value in values.values() for one in value.patch)
    return Axis(name, tuple(values.values()), fields)


def axis_labels(study: Study, axis: str) -> list[str]:
    """Labels of an axis as they stand in the file; none of an axis that is not in it."""
    written = study.axes.get(axis, {})
    if isinstance(written, list):
        return [_label(study, item, ("axes", axis, i)) for i, item in enumerate(written)]
    return list(written)


def _label(study: Study, value: Any, path: KeyPath) -> str:
    if isinstance(value, list):
        return "+".join(_label(study, item, (*path, i)) for i, item in enumerate(value))
    return study.document.text(path, value)


def same(one: Any, other: Any) -> bool:
    """Equality of plain values in which true is not 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def check_overlaps(study: Study, axes: Sequence[Axis], problems: list[InputError]) -> None:
    """Two axes must not set one field: the second would silently undo the first."""
    for one, other in itertools.combinations(axes, 2):
        shared = {*one.fields, *filter(None, map(rival, one.fields))} & other.fields
        if shared:
            problems.append(
                study.problem(
                    ("axes", other.name),
                    f"two axes must not set one field, but {one.name!r} and {other.name!r} both set {min(shared)!r}",
                    "Make them one axis whose values set several fields, or name the arms under `arms`.",
                )
            )


# ---------------------------------------------------------------- designs


def draft_arms(
    study: Study,
    base: Patch,
    axes: Sequence[Axis],
    reader: PatchReader,
    is_base_value: Callable[[AxisValue], bool],
    problems: list[InputError],
) -> list[ArmDraft]:
    """All arms in plan order, those to be excluded among them.

    Args:
        study: whose `design`, `zip` and `arms` are read.
        base: the base, flat.
        axes: the axes as read.
        reader: reads the patches of named arms.
        is_base_value: whether a value changes nothing once names are looked up and defaults filled in.
        problems: gets what is wrong.
    """
    axes = [
        replace(
            axis, values=tuple(replace(value, is_base=value.is_base or is_base_value(value)) for value in axis.values)
        )
        for axis in axes
    ]
    for axis in axes:
        of_base = [value for value in axis.values if value.is_base]
        if len(of_base) > 1:
            problems.append(
                study.problem(
                    of_base[1].path,
                    f"the values of an axis must differ, but {of_base[0].label!r} and {of_base[1].label!r} are both"
                    " the base's own",
                )
            )
    labels = {axis.name: _base_label(axis, base) for axis in axes}
    drafts = [
        ArmDraft(
            name=",".join(f"{axis}={value.label}" for axis, value in chosen if not value.is_base) or "base",
            patch={path: leaf for _, value in chosen if not value.is_base for path, leaf in value.patch.items()},
            values={**labels, **{axis: value.label for axis, value in chosen}},
            path=next((value.path for _, value in chosen if not value.is_base), ("base",)),
        )
        for chosen in _design(study, axes, problems)
    ]
    named = [_named_arm(study, name, entry, base, axes, reader, problems) for name, entry in study.arms.items()]
    names_of_base = [draft for draft in named if not study.arms[draft.name].keys() - _BESIDE_FIELDS]
    for draft in names_of_base[1:]:
        law = f"the base must have one name, but {names_of_base[0].name!r} and {draft.name!r} both change nothing"
        problems.append(study.problem(draft.path, law))
    bases = [_named_base(draft, names_of_base) for draft in drafts if not draft.patch]
    others = [draft for draft in named if draft not in names_of_base]
    return [*bases, *(draft for draft in drafts if draft.patch), *others]


def _named_base(base: ArmDraft, names: Sequence[ArmDraft]) -> ArmDraft:
    """The base under the name of the arm that changes nothing, where the study has one."""
    return replace(names[0], values=base.values) if names else base


def _base_label(axis: Axis, base: Patch) -> str:
    """What the base has of an axis, in the axis' own words where it has some."""
    own = [value.label for value in axis.values if value.is_base]
    if own:
        return own[0]
    leaf = base.get(_SHORT.get(axis.name, axis.name))
    return "base" if leaf is None else show(leaf.value)


Chosen = tuple[tuple[str, AxisValue], ...]


def _design(study: Study, axes: Sequence[Axis], problems: list[InputError]) -> Iterator[Chosen]:
    """The combinations of values that the design asks for; (axis, value) pairs in file order."""
    groups = _groups(study, axes, problems)
    order = {axis.name: i for i, axis in enumerate(axes)}
    if study.design == "grid" and groups:
        size = math.prod(map(len, groups))
        if size > MOST_ARMS:
            problems.append(study.problem(("axes",), f"a grid must have at most {MOST_ARMS:,} arms, but got {size:,}"))
            return
        for product in itertools.product(*groups):
            chosen = (pair for choice in product for pair in choice)
            yield tuple(sorted(chosen, key=lambda pair: order[pair[0]]))
        return
    yield ()
    if study.design == "one-at-a-time":
        for group in groups:
            for choice in group:
                if not all(value.is_base for _, value in choice):
                    yield choice


def _groups(study: Study, axes: Sequence[Axis], problems: list[InputError]) -> list[list[Chosen]]:
    """Axes, or zipped groups of them, each as the list of its choices; a group stands where its first axis does."""
    by_name = {axis.name: axis for axis in axes}
    zipped: dict[str, list[Axis]] = {}
    for number, names in enumerate(study.zip):
        path: KeyPath = ("zip", number)
        members = []
        for name in names:
            if name not in by_name:
                if name not in study.axes:  # else it is reported where it stands
                    way_out = nearest(name, study.axes)
                    problems.append(study.problem(path, f"must name axes of the study, but got {name!r}", way_out))
            elif name in zipped or by_name[name] in members:
                problems.append(study.problem(path, f"an axis must be zipped once, but {name!r} is there twice"))
            else:
                members.append(by_name[name])
        if len({len(axis.values) for axis in members}) > 1:
            counts = ", ".join(f"{axis.name} has {len(axis.values)}" for axis in members)
            problems.append(study.problem(path, f"zipped axes must have equally many values, but {counts}"))
            continue
        members.sort(key=axes.index)
        zipped.update({axis.name: members for axis in members})
    groups: list[list[Chosen]] = []
    for axis in axes:
        members = zipped.get(axis.name, [axis])
        if members[0] is axis:
            rows = zip(*(one.values for one in members), strict=True)
            groups.append([tuple((one.name, value) for one, value in zip(members, row, strict=True)) for row in rows])
    return groups


def _named_arm(
    study: Study,
    name: str,
    entry: Mapping[str, Any],
    base: Patch,
    axes: Sequence[Axis],
    reader: PatchReader,
    problems: list[InputError],
) -> ArmDraft:
    path: KeyPath = ("arms", name)
    note, resources = entry.get("note"), entry.get("resources", {})
    if note is not None and not isinstance(note, str):
        problems.append(study.problem((*path, "note"), f"must be text, but got {show(note)}"))
    _, found = typed(Resources, study.document, (*path, "resources"), resources)
    problems.extend(found)
    patch = reader.read({key: value for key, value in entry.items() if key not in _BESIDE_FIELDS}, path)
    values = {axis.name: _label_of(axis, base, patch) for axis in axes}
    return ArmDraft(name, patch, values, path, True, note, resources if not found else {})


def _label_of(axis: Axis, base: Patch, patch: Patch) -> str:
    """The label that fits a named arm, or its value itself."""

    def current(path: str) -> Any:
        leaf = patch.get(path) or base.get(path)
        return leaf.value if leaf else None

    if not any(path in patch for path in axis.fields):
        return _base_label(axis, base)
    for value in axis.values:
        if value.patch and all(same(current(path), leaf.value) for path, leaf in value.patch.items()):
            return value.label
    path = _SHORT.get(axis.name, axis.name)
    return show(current(path)) if path in axis.fields else "other"


# ---------------------------------------------------------------- exclusions and seeds


@dataclass(frozen=True)
class Exclusions:
    """Which arms are left out: of each entry, axis -> labels."""

    rules: tuple[dict[str, frozenset[str]], ...]

    @staticmethod
    def of(study: Study, axes: Sequence[Axis], problems: list[InputError]) -> Exclusions:
        by_name = {axis.name: axis for axis in axes}
        rules = []
        for number, exclude in enumerate(study.exclude):
            where: dict[str, frozenset[str]] = {}
            for name, value in exclude.where.items():
                path: KeyPath = ("exclude", number, "where", name)
                if name not in by_name:
                    if name not in study.axes:
                        way_out = nearest(name, study.axes)
                        problems.append(
                            study.problem(path, f"must name an axis of the study, but got {name!r}", way_out)
                        )
                    continue
                labels = _excluded_labels(study, value, path, by_name[name], problems)
                where[name] = frozenset(labels)
            rules.append(where)
        return Exclusions(tuple(rules))

    def match(self, values: Mapping[str, str]) -> int | None:
        """Position of the first rule that leaves out an arm with these values; None if there is none."""
        for number, where in enumerate(self.rules):
            if all(values.get(axis) in labels for axis, labels in where.items()):
                return number
        return None


def _excluded_labels(study: Study, value: Any, path: KeyPath, axis: Axis, problems: list[InputError]) -> Iterator[str]:
    """A label, or a list of them; a list that is itself one value of the axis is that value."""
    known = [one.label for one in axis.values]
    whole = _label(study, value, path)
    several = isinstance(value, list) and whole not in known
    labels = [_label(study, item, (*path, i)) for i, item in enumerate(value)] if several else [whole]
    for label in labels:
        if label not in known:
            problems.append(
                study.problem(
                    path,
                    f"must be a value of the axis {axis.name!r} ({', '.join(known)}), but got {label!r}",
                    nearest(label, known),
                )
            )
        yield label


def seeds_of(study: Study, arm: str) -> tuple[int, ...]:
    """The seeds of an arm."""
    default = study.seeds.get("default", ())
    return study.seeds.get(arm, default)
