"""Find tensors that were never written: a download that reserved its file and lost a part of it left zeros there."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from search_spaces.errors import InputError

_LOOKED_AT_FIRST = 64


def refuse_unwritten(tensors: Mapping[str, Tensor], place: str) -> None:
    """Raise InputError if two tensors that lie side by side in a file are all zeros, and one of them is a matrix.

    One matrix of zeros alone may be meant (a block that does nothing until it is trained), and so may biases, which are
    passed over.

    Args:
        tensors: of one file.
        place: the file.
    """
    before: str | None = None
    for name in sorted(tensors):  # files have them in this order
        is_zero = tensors[name].numel() > 0 and _is_zero(tensors[name])
        if is_zero and name.endswith("bias"):
            continue
        if is_zero and before is not None and max(tensors[before].dim(), tensors[name].dim()) > 1:
            raise InputError(
                f"weights must have been written, but {before} and {name} hold zeros alone",
                place=place,
                way_out="Fetch the file again: a part of it is missing.",
            )
        before = name if is_zero else None


def _is_zero(tensor: Tensor) -> bool:
    if tensor.element_size() < 2:  # quantised: refused by its type
        return False
    flat = tensor.reshape(-1)
    return not bool(flat[:_LOOKED_AT_FIRST].any()) and not bool(flat.any())
