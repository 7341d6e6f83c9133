"""Compute the features of frozen encoders: once, for every trial that reads them (`trainables.feature_files`).

The cache is the only producer (fixed batches of `IMAGES_AT_ONCE` pictures, in the order of their digests), so all
trials see the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice

import numpy as np
import torch

from search_spaces.spec import VisionSpec
from trainables.data.parallel import in_order
from trainables.data.pictures import Pictures
from trainables.data.prepared import PreparedSource
from trainables.feature_files import Features, writing_features
from trainables.features_progress import begin_production, finish_production
from trainables.model.images import Pixels, pixels
from trainables.model.vision import VisionEncoder
from trainables.storage import layout
from trainables.storage.digests import file_digest
from trainables.storage.record_files import write
from trainables.storage.records import FeaturesResult
from trainables.storage.store import Store
from trainables.task import Context
from trainables.workers.process_group import wait_for_all

IMAGES_AT_ONCE = 32
"""Of one forward pass of an encoder; fixed, because kernels are not invariant to it."""


def produce_features(
    encoder: VisionEncoder,
    pictures: Pictures,
    store: Store,
    key: str,
    context: Context,
    threads: int = 0,
    devices_per_worker: float = 1.0,
) -> Iterator[tuple[int, int]]:
    """Compute and store the features of all pictures of a source; what an earlier producer has computed is kept.

    Rank 0 computes; the other ranks yield equally often and wait for it at the end. The features get their name as one
    folder with their digests and their result, when all are whole and flushed. Only who holds the lease on them may
    call this; one that has lost it unawares harms nobody (`trainables.features_progress`).

    Args:
        encoder: frozen encoder with its weights.
        pictures: distinct images of a prepared source, whose rows are those of the features.
        store: storage of the features.
        key: key of the features (`identity.features_key`).
        context: rank, world size and device of this worker.
        threads: that load pictures ahead of the encoder; 0 to load them in this thread. Bits are the same.
        devices_per_worker: `ResourceSpec.devices_per_worker` of the group, for the cost.

    Yields:
        (pictures done, all pictures) after each batch.
    """
    vision, total, began = encoder.vision, len(pictures), time.perf_counter()
    shape = (total, vision.grid**2, vision.width)
    batches = [range(start, min(start + IMAGES_AT_ONCE, total)) for start in range(0, total, IMAGES_AT_ONCE)]
    if context.rank == 0:
        encoder, nonce = encoder.to(context.device), begin_production(store, key)
        with (
            store.working_folder(layout.features_in_progress(key, nonce)) as folder,
            writing_features(folder, shape) as writer,
        ):
            missing = [batch for batch in batches if not writer.has(batch)]
            remaining = set(missing)
            with closing(load_images(pictures, vision, missing, threads)) as loaded:
                for batch in batches:
                    if batch in remaining:
                        writer.write(batch, encode_pixels(encoder, next(loaded), context.device))
                    yield batch.stop, total
        gpu_seconds = (time.perf_counter() - began) * context.world * devices_per_worker
        rows = file_digest(store, layout.rows_in_progress(key, nonce))
        result = FeaturesResult(key=key, shape=shape, gpu_seconds=gpu_seconds, rows_digest=rows)
        write(store, layout.features_result_in_progress(key, nonce), result)
        finish_production(store, key, nonce)
    else:
        yield from ((batch.stop, total) for batch in batches)
    wait_for_all()


def load_images(
    source: PreparedSource | Pictures, vision: VisionSpec, batches: Sequence[Sequence[int]], threads: int = 0
) -> Generator[Pixels, None, None]:
    """Decode and resize the images of batches, in their order; with threads ahead of who takes them.

    Args:
        source: where the images are.
        vision: size and normalisation of the images.
        batches: rows of the images there.
        threads: how many load ahead, two batches of an encoder at most; 0 to load in this thread.

    Yields:
        The images of one batch, images x channels x height x width.
    """
    rows = chain.from_iterable(batches)
    with closing(
        in_order(lambda row: pixels(source.picture(row), vision), rows, threads, 2 * IMAGES_AT_ONCE)
    ) as images:
        for batch in batches:
            yield np.stack(list(islice(images, len(batch))))


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
    return encode_pixels(encoder, next(load_images(source, vision, [rows])), device)


@torch.inference_mode()
def encode_pixels(encoder: VisionEncoder, image_BCHW: Pixels, device: str) -> Features:
    """Compute the features of loaded images, images x positions x width, in fp32.

    Args:
        encoder: encoder on `device`.
        image_BCHW: the images (`load_images`).
        device: `cpu` or `cuda`.
    """
    precision = next(encoder.parameters()).dtype
    on_device_BCHW = torch.from_numpy(image_BCHW).to(device).to(precision)  # cast where it is fast
    return encoder(on_device_BCHW).float().cpu().numpy()  # type: ignore[no-any-return]


@torch.inference_mode()
def encode_blank(encoder: VisionEncoder) -> Features:
    """Compute the features of one blank image, 1 x positions x width, in fp32.

    It is zero after each tower's normalisation: the mean colour of what the tower was trained on.
    """
    image_BCHW = encoder.blank_image(next(encoder.parameters()))
    return encoder(image_BCHW).float().cpu().numpy()  # type: ignore[no-any-return]
