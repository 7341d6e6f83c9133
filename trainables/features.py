"""Cache the features of frozen encoders: computed once, mapped by every trial that reads them.

The cache is the only producer (fixed batches of `_BATCH` pictures, in the order of their digests), so all trials see
the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from search_spaces.spec import VisionSpec
from trainables.data.pictures import Pictures
from trainables.data.prepared import PreparedSource
from trainables.model.images import pixels
from trainables.model.vision import VisionEncoder
from trainables.storage import layout
from trainables.storage.finished import finished_features
from trainables.storage.record_files import write
from trainables.storage.records import FeaturesResult
from trainables.storage.store import Store
from trainables.task import Context

_BATCH = 32
"""Images per forward pass of the producer; fixed, because kernels are not invariant to it."""

Features = np.ndarray[Any, np.dtype[np.float32]]


def open_features(store: Store, key: str) -> Features | None:
    """Map the cached features of a key, pictures x positions x width; None if they are not there.

    Raises InputError if they are not whole.
    """
    if finished_features(store, key) is None:
        return None
    return np.load(store.reading(layout.features_array(key)), mmap_mode="r")  # type: ignore[no-any-return]


def produce_features(
    encoder: VisionEncoder, pictures: Pictures, store: Store, key: str, context: Context
) -> Iterator[tuple[int, int]]:
    """Compute and store the features of all pictures of a source.

    Rank 0 computes; the other ranks yield equally often and wait for it at the end. Unfinished work of a killed
    producer is discarded: it is minutes at most.

    Args:
        encoder: frozen encoder with its weights.
        pictures: distinct images of a prepared source, whose rows are those of the features.
        store: storage of the features.
        key: key of the features (`identity.features_key`).
        context: rank, world size and device of this worker.

    Yields:
        (pictures done, all pictures) after each batch.
    """
    vision, total, began = encoder.vision, len(pictures), time.perf_counter()
    shape = (total, vision.grid**2, vision.width)
    batches = [range(start, min(start + _BATCH, total)) for start in range(0, total, _BATCH)]
    if context.rank == 0:
        encoder = encoder.to(context.device)
        with store.writing(layout.features_array(key)) as aside:
            out = np.lib.format.open_memmap(aside, mode="w+", dtype=np.float32, shape=shape)
            for rows in batches:
                out[rows.start : rows.stop] = encode_images(encoder, pictures, vision, rows, context.device)
                yield rows.stop, total
            out.flush()
            del out
        gpu_seconds = (time.perf_counter() - began) * context.world
        write(store, layout.features_result(key), FeaturesResult(key=key, shape=shape, gpu_seconds=gpu_seconds))
    else:
        yield from ((rows.stop, total) for rows in batches)
    if context.world > 1:
        dist.barrier()


@torch.inference_mode()
def encode_images(
    encoder: VisionEncoder,
    source: PreparedSource | Pictures,
    vision: VisionSpec,
    rows: Sequence[int],
    device: str,
) -> Features:
    """Compute the features of some images, images x positions x width, in fp32.

    Args:
        encoder: encoder on `device`.
        source: where the images are.
        vision: size and normalisation of the images.
        rows: rows of the images there.
        device: `cpu` or `cuda`.
    """
    image_BCHW = torch.from_numpy(np.stack([pixels(source.picture(row), vision) for row in rows]))
    precision = next(encoder.parameters()).dtype
    return encoder(image_BCHW.to(device, precision)).float().cpu().numpy()  # type: ignore[no-any-return]


@torch.inference_mode()
def encode_blank(encoder: VisionEncoder) -> Features:
    """Compute the features of one blank image, 1 x positions x width, in fp32.

    It is zero after each tower's normalisation: the mean colour of what the tower was trained on.
    """
    image_BCHW = encoder.blank_image(next(encoder.parameters()))
    return encoder(image_BCHW).float().cpu().numpy()  # type: ignore[no-any-return]
