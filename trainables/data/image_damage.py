"""Find damage that decoders pass over: wrong checksums, files that were not written to their end. No torch."""

from __future__ import annotations

import re
import struct
import zlib

_PNG_START = b"\x89PNG\r\n\x1a\n"
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
"""A marker that ends the entropy-coded data of a JPEG: not a stuffed byte, not a restart."""
_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_ALONE = (0x01, 0xD8, *range(0xD0, 0xD8))
"""Markers without a length."""
_REPLACEMENT, _FEWEST_REPLACED = "\ufffd".encode(), 4
_AS_TEXT = "was saved as text, which has lost its bytes: save it as binary"
_ZEROS = b"\x00" * 64
_CUT_OFF = "is cut off: its data end before the picture does"
_ZERO_END = "is cut off: zeros stand where the rest of it should be"


def damage_of(data: bytes, image_format: str | None) -> str | None:
    """Say what is damaged in an image file, as the end of a sentence about it; None if nothing is found.

    Args:
        data: the image file.
        image_format: as Pillow names it.
    """
    if _was_text(data):
        return _AS_TEXT
    if image_format == "PNG":
        return _png_damage(data)
    if image_format in ("JPEG", "MPO"):
        return _jpeg_damage(data)
    return None


def _was_text(data: bytes) -> bool:
    """Tell whether the file went through a text: bytes that were none have become the replacement character."""
    replaced = data.count(_REPLACEMENT)
    return replaced >= _FEWEST_REPLACED and replaced * 100 > len(data)


def _png_damage(data: bytes) -> str | None:
    """Walk the chunks up to the end chunk; those that the picture needs must be whole and have the right checksum."""
    at = len(_PNG_START)
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if kind == b"IEND":
            return None
        if end > len(data):
            return _CUT_OFF
        if not kind.isalpha():
            return _ZERO_END if _is_zero_ended(data) else "is broken (its chunks do not follow one another)"
        is_critical = kind[:1].isupper()
        if is_critical and zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            wrong = f"is broken (wrong checksum of its chunk {kind.decode('latin1')})"
            return _ZERO_END if _is_zero_ended(data) else wrong
        at = end
    return None  # only the end chunk is missing


def _jpeg_damage(data: bytes) -> str | None:
    """Find the end-of-image marker of the first picture; without it, decoders fill what is missing with grey.

    A file without that marker is taken as it is where its decoder is content, unless it ends in zeros.
    """
    at = 2
    while at + 1 < len(data):
        found = _MARKER.search(data, at)
        if found is None:
            break
        marker, at = data[found.end() - 1], found.end()
        if marker == _END_OF_IMAGE:
            return None
        if marker not in _ALONE:
            at += int.from_bytes(data[at : at + 2], "big")
    return _ZERO_END if _is_zero_ended(data) else None


def _is_zero_ended(data: bytes) -> bool:
    return data.endswith(_ZEROS)


_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type of a PNG -> samples of a pixel."""
_COUNTED = 1 << 20


def lacks_rows(data: bytes) -> bool:
    """Tell whether a PNG holds fewer rows than its header says: its compressed data end well, and decoders leave black.

    It reads all of the data once more, so that it is for pictures that end in black.
    """
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    if interlaced:
        return False
    wanted = height * (1 + (width * depth * _CHANNELS[colour] + 7) // 8)
    unpacking, held, at = zlib.decompressobj(), 0, len(_PNG_START)
    while at + 12 <= len(data) and held < wanted and not unpacking.eof:
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        part = data[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        while part and held < wanted:
            try:
                held += len(unpacking.decompress(part, _COUNTED))
            except zlib.error:  # the decoder took it
                return False
            part = unpacking.unconsumed_tail
        at += 12 + length
    return bool(held < wanted)
