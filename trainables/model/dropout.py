"""Dropout whose draws follow (seed, stage, step, record): not rank, world size, micro-batch or what ran before.

torch's own draws come from one stream per process, so that a record's mask would depend on where it is computed. Here
the mask is a hash of the record's draw, the layer, the position and the channel: nothing is consumed, nothing has to be
restored when a stage goes on from a checkpoint, and padding changes no position's mask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

_SIGN = 0x7FFFFFFF


class Draws:
    """What the records of the current batch draw from, B; set before each forward pass of training."""

    def __init__(self) -> None:
        self.seeds_B: Tensor | None = None


class RecordDropout(nn.Module):
    """Dropout over B x L x ...; `number` tells the layers of a model apart."""

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
        kept = keep_mask(seeds_B.to(values.device), self._number, values.shape[1:], self.p)
        return values * kept / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


def follow_records(model: nn.Module, draws: Draws) -> None:
    """Let the dropout layers of a model follow `draws`: torch's are replaced, in the order of their names; those that
    followed others (of a model that these modules were taken from) follow these."""
    for layer in model.modules():
        if isinstance(layer, RecordDropout):
            layer.draws = draws
    found = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Dropout) and layer.p > 0]
    for number, (name, layer) in enumerate(sorted(found, key=lambda pair: pair[0])):
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, RecordDropout(layer.p, number, draws))


def record_draws(seed: int, stage: str, step: int, records: Sequence[int]) -> Tensor:
    """The draw of each record in one optimizer step, B."""
    base = hashlib.sha256(f"{seed}/{stage}/{step}".encode()).digest()
    digests = [hashlib.sha256(base + int(record).to_bytes(8, "little", signed=True)).digest() for record in records]
    return torch.from_numpy(np.array([int.from_bytes(one[:4], "little") & _SIGN for one in digests], np.int64))


def keep_mask(seeds_B: Tensor, number: int, shape: Sequence[int], probability: float) -> Tensor:
    """Which values stay, B x shape; entry (b, l, c) is a function of seeds_B[b], `number`, l and c alone."""
    positions, channels = shape[0], int(np.prod(shape[1:]))
    device = seeds_B.device
    row_BL = _mixed(_mixed(seeds_B.int() ^ _signed(number * 0x9E3779B9))[:, None] ^ _counted(positions, 1, device))
    mask_BLC = _mixed(row_BL[:, :, None] ^ _mixed(_counted(channels, 2, device)))
    return (mask_BLC.bitwise_and_(_SIGN) >= int(probability * (_SIGN + 1))).reshape(len(seeds_B), *shape)


def _counted(size: int, stream: int, device: torch.device) -> Tensor:
    return torch.arange(size, dtype=torch.int32, device=device) * _signed(0x85EBCA77) + _signed(stream * 0xC2B2AE3D)


def _mixed(bits: Tensor) -> Tensor:
    """The finaliser of MurmurHash3 (32 bits, Austin Appleby, public domain), in place. Products wrap around."""
    for shift, kept, factor in ((16, 0xFFFF, 0x85EBCA6B), (13, 0x7FFFF, 0xC2B2AE35)):
        bits ^= (bits >> shift) & kept  # the mask makes the shift a logical one
        bits *= _signed(factor)
    bits ^= (bits >> 16) & 0xFFFF
    return bits


def _signed(number: int) -> int:
    """The 32-bit pattern of a number as a signed integer."""
    wrapped = number & 0xFFFFFFFF
    return wrapped - (1 << 32) if wrapped >> 31 else wrapped
