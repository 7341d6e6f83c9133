"""Bound the positions that are read together when questions are answered: a function of the model alone. No torch.

Kernels are not invariant to the shape of a batch, so the memory of a device must not decide it: scores would differ
between machines. Every position keeps its keys and values in every layer, which is most of what a batch takes.
"""

from __future__ import annotations

from search_spaces.sizes import LanguageShape, kv_width

CACHE_BYTES = 2**33
"""Of the keys and values of a batch, at most: weights of 7B in 16 bits leave room for more on a GPU of 40 GB."""

MOST_POSITIONS = 32_768
"""Of a batch of any model, however few bytes each takes."""


def bytes_per_position(width: int, shape: LanguageShape, number: int) -> int:
    """Compute the bytes of keys and values of one position in all layers.

    Args:
        width: of the language model's embeddings.
        shape: the rest of its architecture.
        number: bytes of one number.
    """
    return 2 * shape.layers * kv_width(width, shape) * number


def positions_at_once(position_bytes: int) -> int:
    """Compute how many positions a batch of questions has at most: rows, times the longest of them with its answer.

    A single question may have more. Answers that are ranked by all of their tokens are read in copies of the question's
    rows, one for each option, within the same bound: there are never more than one and a half times `CACHE_BYTES`.

    Args:
        position_bytes: bytes of keys and values of one position (`bytes_per_position`).
    """
    return max(1, min(MOST_POSITIONS, CACHE_BYTES // position_bytes))
