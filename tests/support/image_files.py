"""Write image files that Pillow does not write: PNG of any depth with chunks of choice, TIFF of any samples."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

Samples = np.ndarray[Any, np.dtype[Any]]

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""PNG's type of colour -> channels."""
GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6


def chunk(kind: bytes, data: bytes) -> bytes:
    """Write a chunk of PNG with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples: Samples, depth: int, colour: int = GREY, chunks: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """Write samples, height x width x channels (or height x width), as PNG.

    Args:
        samples: integers below 2 ** depth.
        depth: bits of a sample: 1, 2, 4, 8 or 16.
        colour: PNG's type of colour.
        chunks: further chunks between header and data, such as tRNS.
    """
    height, width = samples.shape[:2]
    rows = samples.reshape(height, width * _CHANNELS[colour])
    lines = b"".join(b"\x00" + _packed(row, depth) for row in rows)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    between = b"".join(chunk(kind, data) for kind, data in chunks)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + between
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def _packed(row: Samples, depth: int) -> bytes:
    if depth == 16:
        return row.astype(">u2").tobytes()
    if depth == 8:
        return row.astype(np.uint8).tobytes()
    bits = (row[:, None].astype(np.uint8) >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(-1)).tobytes()


def tiff(samples: Samples, photometric: int = 1, extra: int | None = None, **tags: int) -> bytes:
    """Write samples, height x width (x channels), of their own type as an uncompressed TIFF of one strip.

    Args:
        samples: unsigned or signed integers, or floats; little-endian.
        photometric: 0: zero is white; 1: zero is black; 2: RGB.
        extra: meaning of the last channel: 0 unspecified, 1 premultiplied alpha, 2 alpha.
        tags: `orientation`, or `bits` where samples are packed to fewer bits than their type has.
    """
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    kinds = {"u": 1, "i": 2, "f": 3}
    bits = tags.get("bits", samples.dtype.itemsize * 8)
    data = _bits12(samples) if bits == 12 else samples.tobytes()
    entries: list[tuple[int, int, list[int]]] = [
        (256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * channels), (259, 3, [1]), (262, 3, [photometric]),
        (273, 4, [8]), (274, 3, [tags.get("orientation", 1)]), (277, 3, [channels]), (278, 4, [height]),
        (279, 4, [len(data)]),
        *([(338, 3, [extra])] if extra is not None else []), (339, 3, [kinds[samples.dtype.kind]] * channels),
    ]  # fmt: skip
    start = 8 + len(data) + len(data) % 2
    beyond, table = b"", struct.pack("<H", len(entries))
    end = start + 2 + 12 * len(entries) + 4
    for tag, kind, values in entries:
        written = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(written) > 4:
            written, beyond = struct.pack("<I", end + len(beyond)), beyond + written
        table += struct.pack("<HHI", tag, kind, len(values)) + written.ljust(4, b"\x00")
    return b"II*\x00" + struct.pack("<I", start) + data + b"\x00" * (len(data) % 2) + table + b"\x00" * 4 + beyond


def _bits12(samples: Samples) -> bytes:
    lines = []
    for row in samples:
        bits = (row[:, None] >> np.arange(11, -1, -1)) & 1
        lines.append(np.packbits(bits.reshape(-1).astype(np.uint8)).tobytes())
    return b"".join(lines)


def saved(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    """Encode a picture with Pillow."""
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


def with_orientation(value: int) -> Image.Exif:
    """Make EXIF data that hold an orientation."""
    exif = Image.Exif()
    exif[0x0112] = value
    return exif
