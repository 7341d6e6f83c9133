"""From `base.vision` to a specification: the encoder's facts from the catalogue, the study or a probe of timm."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from search_spaces.catalogue.entries import Encoder, EncoderEntry, FusedEntry
from search_spaces.catalogue.load import Catalogue
from search_spaces.errors import InputError, nearest
from search_spaces.expansion.patches import Patch, field_problem
from search_spaces.spec import VisionSpec
from search_spaces.study import Study, VisionChoice


class NoEncoder(NamedTuple):
    """The answer to a name that cannot be an encoder."""

    law: str
    """What must hold, and why it does not."""
    near: tuple[str, ...] = ()
    """Names that could have been meant."""


EncoderProbe = Callable[[str], EncoderEntry | NoEncoder]
"""Finds out the facts of an encoder that is in no catalogue. Asked only about such."""


@dataclass(frozen=True)
class VisionResolver:
    """Looks up encoders for one study."""

    study: Study
    catalogue: Catalogue
    probe: EncoderProbe | None = None
    """None: only the catalogue and the study's own entries are known."""

    def resolve(self, leaves: Patch) -> VisionSpec:
        """The encoder that these `vision.*` fields ask for. Raises InputError with what is wrong."""
        choice = VisionChoice.model_validate({name.removeprefix("vision."): one.value for name, one in leaves.items()})
        spec = _Encoder(self, leaves, choice).resolve()
        return spec.model_copy(update={"tokens": self._tokens(leaves, choice, spec.grid)})

    def find(self, leaves: Patch, name: str) -> Encoder:
        """The facts of an encoder by its name."""
        entry = self.catalogue.encoders.get(name)
        if entry is not None:
            return entry
        legal = list(self.catalogue.encoders)
        if self.probe is None:
            law = f"must be one of {', '.join(legal)}, but got {name!r}"
            way_out = nearest(name, legal) or "Define it under `backbones`."
            raise field_problem(self.study, leaves, "vision.backbone", law, way_out)
        found = self.probe(name)
        if isinstance(found, EncoderEntry):
            return found
        near = difflib.get_close_matches(name, [*legal, *found.near], n=3, cutoff=0.5)
        way_out = f"Did you mean {' or '.join(map(repr, near))}?" if near else "Define it under `backbones`."
        raise field_problem(self.study, leaves, "vision.backbone", found.law, way_out)

    def _tokens(self, leaves: Patch, choice: VisionChoice, grid: int) -> int:
        if choice.tokens is None:
            return grid * grid
        side = math.isqrt(choice.tokens)
        if side * side != choice.tokens or side > grid:
            legal = [n * n for n in range(1, grid + 1)]
            law = f"must be a square number up to the grid's {grid} x {grid} = {grid * grid}, but got {choice.tokens}"
            way_out = f"The nearest is {min(legal, key=lambda one: abs(one - (choice.tokens or 0)))}."
            raise field_problem(self.study, leaves, "vision.tokens", law, way_out)
        return choice.tokens


@dataclass(frozen=True)
class _Encoder:
    """One choice of an encoder, on its way to a specification."""

    known: VisionResolver
    leaves: Patch
    choice: VisionChoice

    def resolve(self) -> VisionSpec:
        name = self.choice.backbone
        entry = self.known.find(self.leaves, name)
        if isinstance(entry, FusedEntry):
            return self._fused(name, entry)
        resolution = self.choice.resolution or entry.resolution
        return self._tower(name, entry, resolution, declared=entry.resolution)

    def _fused(self, name: str, entry: FusedEntry) -> VisionSpec:
        if self.choice.stride is not None:
            raise self._wrong("stride", f"must be left out for {name}, which has parts, but got {self.choice.stride}")
        resolution = self.choice.resolution or entry.resolution
        towers = []
        for part in entry.parts:
            tower = self.known.find(self.leaves, part)
            if isinstance(tower, FusedEntry):
                raise self._wrong("backbone", f"{name}: a part must be one tower, but {part!r} has parts itself")
            towers.append(self._tower(part, tower, resolution, declared=entry.resolution))
        grids = {f"{tower.backbone} {tower.grid} x {tower.grid}": tower.grid for tower in towers}
        if len(set(grids.values())) > 1:
            law = f"the parts of {name} must have one grid at {resolution} px, but have {', '.join(grids)}"
            raise self._wrong("backbone", law, "Take parts of one patch size, or a resolution at which they agree.")
        first = towers[0]
        return first.model_copy(
            update={
                "backbone": name,
                "arch": "+".join(tower.arch for tower in towers),
                "family": "fused",
                "checkpoint": None,
                "interpolate": any(tower.interpolate for tower in towers),
                "width": sum(tower.width for tower in towers),
                "options": {},
                "parts": tuple(towers),
            }
        )

    def _tower(self, name: str, entry: EncoderEntry, resolution: int, declared: int) -> VisionSpec:
        patch, width = self._patch_and_width(name, entry)
        interpolate = self._interpolates(name, entry, resolution, declared, patch)
        if self.choice.weights == "pretrained" and entry.checkpoint is None:
            raise self._wrong("weights", f"must be random for {name}, which has no checkpoint, but got 'pretrained'")
        options = dict(entry.options)
        if entry.family == "vit" and resolution != (entry.native or entry.resolution):
            options["img_size"] = resolution
        spec = VisionSpec(
            backbone=name,
            arch=entry.arch,
            family=entry.family,
            weights=self.choice.weights,
            checkpoint=entry.checkpoint if self.choice.weights == "pretrained" else None,
            resolution=resolution,
            resize=self.choice.resize,
            interpolate=interpolate,
            patch=patch,
            width=width,
            tokens=1,
            mean=entry.mean,
            std=entry.std,
            options=options,
        )
        return spec.model_copy(update={"tokens": spec.grid**2})

    def _patch_and_width(self, name: str, entry: EncoderEntry) -> tuple[int, int]:
        if entry.family == "vit":
            if self.choice.stride is not None:
                law = f"must be left out for {name} (its patches: {entry.patch} px), but got {self.choice.stride}"
                raise self._wrong("stride", law)
            assert entry.patch is not None
            assert entry.width is not None
            return entry.patch, entry.width
        stride = self.choice.stride or max(entry.strides)
        if stride not in entry.strides:
            legal = sorted(entry.strides)
            raise self._wrong(
                "stride",
                f"must be one of {', '.join(map(str, legal))} for {name}, but got {stride}",
                f"The nearest is {min(legal, key=lambda one: abs(one - stride))}.",
            )
        return stride, entry.strides[stride]

    def _interpolates(self, name: str, entry: EncoderEntry, resolution: int, declared: int, patch: int) -> bool:
        """Whether position embeddings of a checkpoint are interpolated. Convolutions take any size."""
        if entry.family == "conv":
            if resolution % entry.multiple_of:
                unit = entry.multiple_of
                law = f"must be a multiple of {unit} px for {name}, which does not pad, but got {resolution}"
                raise self._wrong("resolution", law, f"The nearest is {max(1, round(resolution / unit)) * unit}.")
            return False
        if resolution < patch:
            raise self._wrong("resolution", f"must be at least one patch ({patch} px), but got {resolution}")
        native = entry.native or entry.resolution
        if self.choice.weights == "random" or resolution == native:
            return False
        if not entry.interpolable:
            law = f"must be {native} px for {name}, whose positions cannot be interpolated, but got {resolution}"
            raise self._wrong("resolution", law)
        if resolution != declared and not self.choice.interpolate:
            others = sorted(
                other_name
                for other_name, other in self.known.catalogue.encoders.items()
                if other.resolution == resolution and (isinstance(other, FusedEntry) or other.family == "vit")
            )
            raise self._wrong(
                "resolution",
                f"must be {declared} px, as {self.choice.backbone} is made for, unless `vision.interpolate` is true,"
                f" but got {resolution}",
                f"Encoders made for {resolution} px: {', '.join(others)}."
                if others
                else "Set `vision.interpolate: true`.",
            )
        return True

    def _wrong(self, field: str, law: str, way_out: str | None = None) -> InputError:
        return field_problem(self.known.study, self.leaves, f"vision.{field}", law, way_out)


def unused_pixels(vision: VisionSpec) -> Iterator[str]:
    """A note for each tower whose patches leave pixels over."""
    for tower in vision.towers:
        unused = tower.resolution % tower.patch
        if tower.family == "vit" and unused:
            yield f"{tower.backbone}: {tower.resolution} px = {tower.grid} x {tower.patch} + {unused} unused"
