"""Look up the vision encoder of an arm: in the catalogue, in the study, or by a probe of timm."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, assert_never

from search_spaces.catalogue.entries import Encoder, EncoderEntry, FusedEntry
from search_spaces.catalogue.load import Catalogue
from search_spaces.errors import InputError, nearest
from search_spaces.expansion.patches import Patch, field_problem
from search_spaces.spec import VisionSpec
from search_spaces.study import Study, VisionChoice


class NoEncoder(NamedTuple):
    """Answer to a name that cannot be an encoder."""

    law: str
    """What must hold, and why it does not."""
    near: tuple[str, ...] = ()
    """Names that could have been meant."""


EncoderProbe = Callable[[str], EncoderEntry | NoEncoder]
"""Finds out the facts of an encoder that is in no catalogue. Asked only about such."""


@dataclass(frozen=True)
class VisionResolver:
    """Lookup of vision encoders for one study."""

    study: Study
    catalogue: Catalogue
    probe: EncoderProbe | None = None
    """None: only the catalogue and the study's own entries are known."""

    def resolve(self, leaves: Patch) -> VisionSpec:
        """Look up the encoder that these `vision.*` fields ask for. Raises InputError with what is wrong."""
        choice = VisionChoice.model_validate(
            {name.removeprefix("vision."): leaf.value for name, leaf in leaves.items()}
        )
        spec = _Encoder(self, leaves, choice).resolve()
        return spec.model_copy(update={"tokens": self._tokens(leaves, choice, spec.grid)})

    def find(self, leaves: Patch, name: str) -> Encoder:
        """Find the facts of an encoder by its name. Raises InputError, placed at `vision.backbone`."""
        entry = self.catalogue.encoders.get(name)
        if entry is not None:
            return entry
        legal = list(self.catalogue.encoders)
        if self.probe is None:
            law = f"must be one of {', '.join(legal)}, but got {name!r}"
            way_out = nearest(name, legal) or "Define it under `backbones`."
            raise field_problem(self.study, leaves, "vision.backbone", law, way_out)
        answer = self.probe(name)
        if isinstance(answer, EncoderEntry):
            return answer
        near = difflib.get_close_matches(name, [*legal, *answer.near], n=3, cutoff=0.5)
        way_out = f"Did you mean {' or '.join(map(repr, near))}?" if near else "Define it under `backbones`."
        raise field_problem(self.study, leaves, "vision.backbone", answer.law, way_out)

    def _tokens(self, leaves: Patch, choice: VisionChoice, grid: int) -> int:
        if choice.tokens is None:
            return grid * grid
        side = math.isqrt(choice.tokens)
        if side * side != choice.tokens or side > grid:
            legal = [n * n for n in range(1, grid + 1)]
            law = f"must be a square number up to the grid's {grid} x {grid} = {grid * grid}, but got {choice.tokens}"
            way_out = f"The nearest is {min(legal, key=lambda count: abs(count - (choice.tokens or 0)))}."
            raise field_problem(self.study, leaves, "vision.tokens", law, way_out)
        return choice.tokens


class _Form(NamedTuple):
    """Facts of one tower that its family of encoders decides."""

    patch: int
    """Side of a patch, or output stride, in px."""
    width: int
    """Length of a feature."""
    interpolate: bool
    """Whether position embeddings of the checkpoint are interpolated."""
    options: dict[str, Any]
    """Further keyword arguments of the architecture."""


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
                "weights_prefix": "",
                "parts": tuple(towers),
            }
        )

    def _tower(self, name: str, entry: EncoderEntry, resolution: int, declared: int) -> VisionSpec:
        match entry.family:
            case "vit":
                form = self._vit(name, entry, resolution, declared)
            case "conv":
                form = self._conv(name, entry, resolution)
            case unreachable:
                assert_never(unreachable)
        spec = VisionSpec(
            backbone=name,
            arch=entry.arch,
            family=entry.family,
            weights=self.choice.weights,
            checkpoint=self._checkpoint(name, entry),
            resolution=resolution,
            resize=self.choice.resize,
            interpolate=form.interpolate,
            patch=form.patch,
            width=form.width,
            tokens=1,
            mean=entry.mean,
            std=entry.std,
            options={**entry.options, **form.options},
            weights_prefix=entry.weights_prefix if self.choice.weights == "pretrained" else "",
        )
        return spec.model_copy(update={"tokens": spec.grid**2})

    def _checkpoint(self, name: str, entry: EncoderEntry) -> str | None:
        match self.choice.weights:
            case "random":
                return None
            case "pretrained":
                if entry.checkpoint is None:
                    law = f"must be random for {name}, which has no checkpoint, but got 'pretrained'"
                    raise self._wrong("weights", law)
                return entry.checkpoint
            case unreachable:
                assert_never(unreachable)

    def _conv(self, name: str, entry: EncoderEntry, resolution: int) -> _Form:
        """Choose the output stride of a convolutional encoder; it takes any size that it need not pad."""
        stride = self.choice.stride or max(entry.strides)
        if stride not in entry.strides:
            legal = sorted(entry.strides)
            law = f"must be one of {', '.join(map(str, legal))} for {name}, but got {stride}"
            nearest_stride = min(legal, key=lambda known: abs(known - stride))
            raise self._wrong("stride", law, f"The nearest is {nearest_stride}.")
        unit = entry.multiple_of
        if resolution % unit:
            law = f"must be a multiple of {unit} px for {name}, which does not pad, but got {resolution}"
            raise self._wrong("resolution", law, f"The nearest is {max(1, round(resolution / unit)) * unit}.")
        return _Form(patch=stride, width=entry.strides[stride], interpolate=False, options={})

    def _vit(self, name: str, entry: EncoderEntry, resolution: int, declared: int) -> _Form:
        """Take the patches of a transformer as they are; decide whether its positions are interpolated."""
        patch, native = entry.patch, entry.native or entry.resolution
        assert patch is not None
        assert entry.width is not None
        if self.choice.stride is not None:
            law = f"must be left out for {name} (its patches: {patch} px), but got {self.choice.stride}"
            raise self._wrong("stride", law)
        if resolution < patch:
            raise self._wrong("resolution", f"must be at least one patch ({patch} px), but got {resolution}")
        interpolate = self.choice.weights != "random" and resolution != native
        if interpolate:
            self._check_interpolation(name, entry, resolution, declared)
        options = {} if resolution == native else {"img_size": resolution}
        return _Form(patch=patch, width=entry.width, interpolate=interpolate, options=options)

    def _check_interpolation(self, name: str, entry: EncoderEntry, resolution: int, declared: int) -> None:
        """Raise InputError unless positions of a checkpoint can be interpolated and the study allows it."""
        if not entry.interpolable:
            native = entry.native or entry.resolution
            law = f"must be {native} px for {name}, whose positions cannot be interpolated, but got {resolution}"
            raise self._wrong("resolution", law)
        if resolution != declared and not self.choice.interpolate:
            law = (
                f"must be {declared} px, as {self.choice.backbone} is made for, unless `vision.interpolate` is true,"
                f" but got {resolution}"
            )
            others = self._made_for(resolution)
            way_out = f"Encoders made for {resolution} px: {', '.join(others)}." if others else None
            raise self._wrong("resolution", law, way_out or "Set `vision.interpolate: true`.")

    def _made_for(self, resolution: int) -> list[str]:
        """Name the encoders that have positions for a resolution, sorted."""
        return sorted(
            name
            for name, entry in self.known.catalogue.encoders.items()
            if entry.resolution == resolution and (isinstance(entry, FusedEntry) or entry.family == "vit")
        )

    def _wrong(self, field: str, law: str, way_out: str | None = None) -> InputError:
        return field_problem(self.known.study, self.leaves, f"vision.{field}", law, way_out)


def unused_pixels(vision: VisionSpec) -> Iterator[str]:
    """Write a note for each tower whose patches leave pixels over."""
    for tower in vision.towers:
        unused = tower.resolution - tower.grid * tower.patch
        if unused > 0:
            yield f"{tower.backbone}: {tower.resolution} px = {tower.grid} x {tower.patch} + {unused} unused"
