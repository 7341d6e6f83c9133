"""Make the training stages of an arm from its recipe, its horizon and its data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import ValidationError

from search_spaces.catalogue.recipe_entries import StagePart, StagePatch
from search_spaces.errors import InputError, Problems, nearest
from search_spaces.expansion.parts import Parts
from search_spaces.expansion.patches import Leaf, Patch, lay
from search_spaces.expansion.resolve_data import DataResolver
from search_spaces.spec import Spec, StageSpec
from search_spaces.study import Study
from search_spaces.typed import nested_models
from search_spaces.yaml_source import show

_SCALES = "optimizer.lr_scale."
_PARTS = {name: kind for name, kind in nested_models(StagePatch).items() if issubclass(kind, StagePart)}
"""Name of the field -> patch of a part that a stage may have."""


@dataclass(frozen=True)
class StageResolver:
    """Maker of the training stages of one study's arms."""

    study: Study
    base: Patch
    """The study's own base: the place of what a stage lacks."""
    data: DataResolver
    parts: Parts

    def resolve(self, patch: Patch) -> tuple[StageSpec, ...]:
        """Make the stages of a complete configuration, in order of training. Raises InputError with all problems."""
        leaf = patch["stages"]
        if len(set(leaf.value)) < len(leaf.value):
            raise self.study.problem(leaf.path, f"stages must differ, but got {show(leaf.value)}")
        problems = Problems()
        stages = [problems.attempt(partial(self._stage, patch, position)) for position in range(len(leaf.value))]
        problems.raise_all()
        made = tuple(stage for stage in stages if stage is not None)
        return self.parts.get(("stages", *map(id, made)), lambda: made)

    def _stage(self, patch: Patch, position: int) -> StageSpec:
        name = patch["stages"].value[position]
        fields = self._fields(patch, position)
        key = ("stage", name, *((field, repr(leaf.value)) for field, leaf in fields.items()))
        return self.parts.get(key, lambda: self._make(name, fields))

    def _fields(self, patch: Patch, position: int) -> Patch:
        """Collect the fields of a stage: its recipe's, the arm's data and, of the last stage, the arm's horizon."""
        stages = patch["stages"]
        name, prefix = stages.value[position], f"recipe.{stages.value[position]}."
        own = {path.removeprefix(prefix): leaf for path, leaf in patch.items() if path.startswith(prefix)}
        if not own:
            legal = list(dict.fromkeys(path.split(".")[1] for path in patch if path.startswith("recipe.")))
            law = f"must be stages of the recipe ({', '.join(legal)}), but got {name!r}"
            raise self.study.problem((*stages.path, position), law, nearest(name, legal))
        if "data" not in own and "data" in patch:
            own["data"] = patch["data"]
        horizon: Patch = {}
        if position == len(stages.value) - 1:
            given = {field: patch[field] for field in ("epochs", "max_steps") if field in patch}
            horizon = {field: leaf for field, leaf in given.items() if leaf.value is not None}
        return lay(own, horizon)

    def _make(self, name: str, fields: Patch) -> StageSpec:
        plain = _nested(name, fields)
        self._check_complete(name, plain, fields)
        plain["data"] = self.data.mix(fields["data"])
        self._check_warmup(name, plain, fields)
        for part in _PARTS:
            plain |= self._part(part, name, plain, fields)
        try:
            return StageSpec.model_validate(plain)
        except ValidationError as error:
            detail = error.errors()[0]
            field = ".".join(map(str, detail["loc"]))
            leaf = fields.get(field, self.base["stages"])
            law = f"{detail['msg']}, but got {show(detail['input'])}"
            raise self.study.problem(leaf.path, law, key=f"recipe.{name}.{field}") from error

    def _check_complete(self, name: str, plain: dict[str, Any], fields: Patch) -> None:
        """Raise InputError for a stage that lacks what every stage must have."""
        missing = [field for field in ("trains", "global_batch") if field not in plain]
        missing += [] if "lr" in plain.get("optimizer", {}) else ["optimizer.lr"]
        missing += [] if fields.get("data", Leaf(None, ())).value is not None else ["data"]
        missing += [] if {"epochs", "max_steps"} & plain.keys() else ["epochs or max_steps"]
        if missing:
            law = f"the stage {name!r} must have {', '.join(missing)}"
            raise self.study.problem(self.base["stages"].path, law, key=f"recipe.{name}")

    def _check_warmup(self, name: str, plain: dict[str, Any], fields: Patch) -> None:
        """Raise InputError for two lengths of one warm-up."""
        schedule = plain.get("schedule", {})
        if schedule.get("warmup_steps") is not None and schedule.get("warmup_ratio") is not None:
            raise self.study.problem(
                fields["schedule.warmup_steps"].path,
                "`warmup_steps` and `warmup_ratio` must not both be given",
                key=f"recipe.{name}.schedule",
            )

    def _part(self, part: str, name: str, plain: dict[str, Any], fields: Patch) -> dict[str, Spec]:
        """Make a part that a stage may have from its fields; nothing where the stage has none."""
        values = {field: value for field, value in plain.pop(part, {}).items() if value is not None}
        try:
            spec = _PARTS[part](**values).complete(name, plain["trains"])
        except InputError as error:
            first = next(f"{part}.{field}" for field in _PARTS[part].model_fields if f"{part}.{field}" in fields)
            key = f"recipe.{name}.{part}"
            raise self.study.problem(fields[first].path, error.law, error.way_out, key=key) from error
        return {} if spec is None else {part: spec}


def _nested(name: str, fields: Patch) -> dict[str, Any]:
    """Nest the dotted fields of a stage; what is null, and a factor of 1 on a learning rate, is left out."""
    plain: dict[str, Any] = {"name": name}
    for dotted, leaf in fields.items():
        outer, _, inner = dotted.partition(".")
        if dotted.startswith(_SCALES):
            if leaf.value != 1:
                scales = plain.setdefault("optimizer", {}).setdefault("lr_scale", {})
                scales[dotted.removeprefix(_SCALES)] = leaf.value
        elif inner:
            plain.setdefault(outer, {})[inner] = leaf.value
        elif outer != "data" and leaf.value is not None:
            plain[outer] = leaf.value
    return plain
