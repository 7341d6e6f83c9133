"""Dropout whose random draws follow (seed, stage, step, record): not rank, world size, micro-batch or what ran before.

torch's own draws come from one stream per process, so that a record's mask would depend on where it is computed. Here
the mask is a hash of the record's draw, the layer, the position and the channel: nothing is consumed, nothing has to be
restored when a stage resumes from a checkpoint, and padding changes no position's mask.

Shapes: B records, L positions, C channels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

_SIGN = 0x7FFFFFFF


class Draws:
    """Seeds of the current batch's records, shared by all dropout layers of a model.

    Both are set before each forward pass of training and stay for the backward pass, which may compute activations
    again.
    """

    def __init__(self) -> None:
        self.seeds_B: Tensor | None = None
        """Of the records (`record_draws`), one a row; with `positions_BL`, of each position: B x L."""
        self.positions_BL: Tensor | None = None
        """Position within its record, where a row holds several; None where every row is one record."""


class RecordDropout(nn.Module):
    """Dropout layer over B x L x ...

    Args:
        probability: share of the values that are zeroed, 0 to 1.
        number: index of the layer, different for each layer of a model.
        draws: seeds of the current batch's records.
    """

    def __init__(self, probability: float, number: int, draws: Draws):
        super().__init__()
        self.p = probability
        self._number, self.draws = number, draws

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return values
        seeds_B = self.draws.seeds_B
        if seeds_B is None or len(seeds_B) != len(values):
            raise ValueError("dropout needs the draws of the batch's records: set `Batch.draws_B`")
        kept = keep_mask(seeds_B.to(values.device), self._number, values.shape[1:], self.p, self.draws.positions_BL)
        return values * kept / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def replace_dropout(model: nn.Module, draws: Draws) -> None:
    """Replace torch's dropout layers by `RecordDropout`, in place, and let all dropout layers read `draws`.

    Layers are numbered in the order of their names. Those that were replaced before (in a model that these modules were
    taken from) keep their numbers.
    """
    for layer in model.modules():
        if isinstance(layer, RecordDropout):
            layer.draws = draws
    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Dropout) and layer.p > 0]
    for number, (name, layer) in enumerate(sorted(layers, key=lambda pair: pair[0])):
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, RecordDropout(layer.p, number, draws))


def record_draws(seed: int, stage: str, step: int, records: Sequence[int]) -> Tensor:
    """Draw the seed of each record in one optimizer step, B, 0 to 2^31 - 1.

    Args:
        seed: seed of the trial.
        stage: name of the stage.
        step: optimizer step, from 0.
        records: indices of the records in the stage's mix; a filler's is negative.
    """
    base = hashlib.sha256(f"{seed}/{stage}/{step}".encode()).digest()
    digests = [hashlib.sha256(base + int(record).to_bytes(8, "little", signed=True)).digest() for record in records]
    return torch.from_numpy(np.array([int.from_bytes(digest[:4], "little") & _SIGN for digest in digests], np.int64))


def keep_mask(
    seeds_B: Tensor, number: int, shape: Sequence[int], probability: float, positions_BL: Tensor | None = None
) -> Tensor:
    """Compute the boolean mask of the values that are kept, B x shape.

    Args:
        seeds_B: seeds of the records (`record_draws`); B x L where positions are given.
        number: index of the dropout layer.
        shape: shape of a record's values: L, then channels. Entry (b, l, c) of the mask is a function of seeds_B[b],
            `number`, l and c alone.
        probability: share of the values that are dropped, 0 to 1.
        positions_BL: l of each entry, where a row holds several records; None for 0 to L - 1.
    """
    device, channels = seeds_B.device, int(np.prod(shape[1:]))
    layer_seeds = _mixed(seeds_B.int() ^ _signed(number * 0x9E3779B9))
    if positions_BL is None:
        positions, layer_seeds = torch.arange(shape[0], device=device), layer_seeds[:, None]
    else:
        positions = positions_BL.to(device)
    row_BL = _mixed(layer_seeds ^ _index_hashes(positions, 1))
    mask_BLC = _mixed(row_BL[:, :, None] ^ _mixed(_index_hashes(torch.arange(channels, device=device), 2)))
    return (mask_BLC.bitwise_and_(_SIGN) >= int(probability * (_SIGN + 1))).reshape(len(seeds_B), *shape)


def _index_hashes(indices: Tensor, stream: int) -> Tensor:
    return indices.int() * _signed(0x85EBCA77) + _signed(stream * 0xC2B2AE3D)


def _mixed(bits: Tensor) -> Tensor:
    """Apply the finaliser of MurmurHash3 (32 bits, Austin Appleby, public domain) in place. Products wrap around."""
    for shift, kept, factor in ((16, 0xFFFF, 0x85EBCA6B), (13, 0x7FFFF, 0xC2B2AE35)):
        bits ^= (bits >> shift) & kept  # the mask makes the shift a logical one
        bits *= _signed(factor)
    bits ^= (bits >> 16) & 0xFFFF
    return bits


def _signed(number: int) -> int:
    """Convert the 32-bit pattern of a number to a signed integer."""
    wrapped = number & 0xFFFFFFFF
    return wrapped - (1 << 32) if wrapped >> 31 else wrapped
