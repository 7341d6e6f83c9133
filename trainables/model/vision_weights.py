"""Choose the tensors of a vision encoder from a file of weights: exactly its own, by name and shape."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from search_spaces.errors import InputError
from search_spaces.spec import VisionSpec

_SHOWN = 3
_FILES = ("model.safetensors", "pytorch_model.bin")


class Shaped(Protocol):
    """Whatever stands for a tensor: a tensor, or what a file says of it."""

    @property
    def shape(self) -> tuple[int, ...]: ...


S = TypeVar("S", bound=Shaped)


def encoder_file(path: Path) -> Path:
    """Return the file of weights that a path is, or that its folder holds. Raises InputError if there is none."""
    if not path.is_dir():
        return path
    file = next((path / name for name in _FILES if (path / name).exists()), None)
    if file is None:
        raise InputError(f"must hold {' or '.join(_FILES)}", place=str(path))
    return file


def choose_tensors(tower: Any, vision: VisionSpec, given: Mapping[str, S], place: str) -> dict[str, S]:
    """Choose the tensors of an encoder from those of a file.

    The file may hold the classifier that timm knows for the architecture, which the encoder is built without. Names
    must agree; only the weights inside a package, whose content is fixed, are taken by their order.

    Args:
        tower: timm model without its classifier.
        vision: specification of the encoder.
        given: tensors by name, in the order of the file.
        place: the file, for errors.

    Returns:
        Tensors by their names in the encoder, still with their own positions where these are to be interpolated.

    Raises:
        InputError: tensors are missing, left over or of another shape.
    """
    wanted: dict[str, Any] = tower.state_dict()
    named = _named(tower, vision, given, place)
    missing = [name for name in wanted if name not in named]
    extra = [] if vision.weights_prefix else _extra(tower, named, wanted)
    reshaped = [name for name in wanted if name in named and not _fits(tower, vision, name, named[name], wanted[name])]
    if missing or extra or reshaped:
        raise _misfit(vision, given, wanted, (missing, extra, reshaped), place)
    return {name: named[name] for name in wanted}


def _named(tower: Any, vision: VisionSpec, given: Mapping[str, S], place: str) -> Mapping[str, S]:
    """Name the tensors of a file as the encoder does."""
    wanted: dict[str, Any] = tower.state_dict()
    if str(vision.checkpoint).startswith("package:") and not wanted.keys() <= given.keys():
        return _by_order(wanted, given, place)
    prefix = vision.weights_prefix
    if not prefix:
        return given
    named = {name.removeprefix(prefix): tensor for name, tensor in given.items() if name.startswith(prefix)}
    if not named:
        first = ", ".join(sorted(given)[:_SHOWN])
        law = f"weights_prefix must begin the names of tensors, but none begins with {prefix!r}"
        raise InputError(law, place=place, way_out=f"The first names are {first}.")
    return named


def _by_order(wanted: Mapping[str, Any], given: Mapping[str, S], place: str) -> dict[str, S]:
    """Pair tensors by their order, the classifier's last. Raises InputError where weights meet biases or statistics."""
    pairs = list(zip(wanted, given, strict=False))
    odd = [pair for pair in pairs if pair[0].rpartition(".")[2] != pair[1].rpartition(".")[2]]
    if odd or len(given) < len(wanted):
        raise InputError("the package's weights must come in the order of the architecture, but do not", place=place)
    return {own: given[theirs] for own, theirs in pairs}


def _extra(tower: Any, named: Mapping[str, Shaped], wanted: Mapping[str, Any]) -> list[str]:
    """Name what has no place in the encoder, other than the classifier and single numbers (counters)."""
    heads = getattr(tower, "pretrained_cfg", {}).get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    return [
        name
        for name in named
        if name not in wanted and not name.startswith(tuple(f"{head}." for head in heads)) and named[name].shape
    ]


def _fits(tower: Any, vision: VisionSpec, name: str, given: Shaped, wanted: Any) -> bool:
    own, needed = tuple(given.shape), tuple(wanted.shape)
    if own == needed:
        return True
    if name != "pos_embed" or not vision.interpolate or len(own) != 3 or (own[0], own[2]) != (needed[0], needed[2]):
        return False
    positions = own[1] - prefix_positions(tower)
    return positions > 0 and math.isqrt(positions) ** 2 == positions


def prefix_positions(tower: Any) -> int:
    """Return how many position embeddings of a transformer are those of class and register tokens."""
    return 0 if getattr(tower, "no_embed_class", False) else int(tower.num_prefix_tokens)


def _misfit(
    vision: VisionSpec,
    given: Mapping[str, Shaped],
    wanted: Mapping[str, Any],
    differing: tuple[list[str], list[str], list[str]],
    place: str,
) -> InputError:
    missing, _, reshaped = differing
    said = [f"{len(names)} {what} ({_some(names)})" for names, what in zip(differing, _WHAT, strict=True) if names]
    law = f"the weights must fit the architecture {vision.arch}, but of its {len(wanted)} tensors {'; '.join(said)}"
    prefix = _prefix(given, wanted) if missing else None
    if prefix and prefix != vision.weights_prefix:
        way_out = f"Their names begin with {prefix!r}: write `weights_prefix: '{prefix}'` in its entry of `backbones`."
    elif reshaped and not missing:
        way_out = "Name the architecture of the weights, or set `vision.interpolate` for positions of another size."
    else:
        way_out = "Save the encoder's state_dict() by timm, without what does not belong to it."
    return InputError(law, place=place, way_out=way_out)


_WHAT = ("are missing", "of the file have no place", "have another shape")


def _prefix(given: Iterable[str], wanted: Mapping[str, Any]) -> str | None:
    """Find what stands before the names of most of the encoder's tensors in a file."""
    counts: dict[str, int] = {}
    for name in given:
        parts = name.split(".")
        for cut in range(1, len(parts)):
            if ".".join(parts[cut:]) in wanted:
                prefix = ".".join(parts[:cut]) + "."
                counts[prefix] = counts.get(prefix, 0) + 1
    best = max(counts, key=lambda each: counts[each], default=None)
    return best if best is not None and 2 * counts[best] > len(wanted) else None


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
