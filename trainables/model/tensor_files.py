"""Read the names, types and shapes of tensors from files of weights, without their values; say what a file is instead.

What is downloaded or copied by hand is often not the file: a Git LFS pointer, a web page, the first half. One function
tells these apart for every file of a checkpoint, with the same words.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from search_spaces.errors import InputError
from search_spaces.regular_files import open_regular

FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""Types of weights that can be trained, as safetensors names them."""

_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml")
_FETCH_AGAIN = "Fetch the file again: its size must be the one that its source names."


class TensorHeader(NamedTuple):
    """What a file says of a tensor."""

    dtype: str
    """As safetensors names types: F32, BF16, I8, ..."""
    shape: tuple[int, ...]


Headers = Mapping[str, TensorHeader]
"""Tensors by name."""


def check_content(file: Path) -> None:
    """Check that a file of a checkpoint is there and is not a placeholder for itself.

    Raises:
        InputError: it is missing, not a file, unreadable, empty, a Git LFS pointer, or a web page.
    """
    try:
        with open_regular(file) as opened:
            start = opened.read(512)
    except OSError as error:
        law = f"the file must be readable, but: {error.strerror or type(error).__name__}"
        raise InputError(law, place=str(file)) from error
    if not start:
        raise InputError("the file is empty", place=str(file), way_out=_FETCH_AGAIN)
    if start.startswith(_POINTER):
        raise InputError(
            "the file is a Git LFS pointer, not the content that it points to",
            place=str(file),
            way_out="It was cloned without git-lfs: `git lfs install`, then `git lfs pull` in that folder.",
        )
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGES):
        raise InputError(
            "the file is a web page (HTML) that was saved in the place of the file",
            place=str(file),
            way_out="Fetch the file again, from the link that downloads and not the one that shows it.",
        )


def read_json_object(file: Path) -> dict[str, Any]:
    """Read a JSON file of a checkpoint. Raises InputError unless it is a whole JSON object."""
    check_content(file)
    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"), parse_constant=_constant)
    except RecursionError as error:
        raise InputError("must be JSON, but it is nested too deeply", place=str(file)) from error
    except UnicodeDecodeError as error:
        law = f"must be JSON in UTF-8, but has the byte 0x{error.object[error.start]:02x} at {error.start:,}"
        raise InputError(law, place=str(file), way_out=_FETCH_AGAIN) from error
    except ValueError as error:
        raise InputError(f"must be JSON, but: {error}", place=str(file), way_out=_FETCH_AGAIN) from error
    if not isinstance(value, dict):
        raise InputError("must be a JSON object", place=str(file))
    return value


def _constant(name: str) -> float:
    """Read the infinities that Python writes into JSON; NaN is no number of a model."""
    if name == "NaN":
        raise ValueError("NaN is no number")
    return float(name)


def safetensors_headers(file: Path) -> dict[str, TensorHeader]:
    """Read names, types and shapes of the tensors of a safetensors file.

    Raises:
        InputError: it is no such file, or is cut off.
    """
    from safetensors import SafetensorError, safe_open

    check_content(file)
    _check_length(file)
    try:
        with safe_open(file, framework="numpy") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118  # no mapping
            return {name: TensorHeader(str(part.get_dtype()), tuple(part.get_shape())) for name, part in slices.items()}
    except (SafetensorError, ValueError, OSError) as error:
        law = f"must be a safetensors file, but its header does not say so ({_one_line(error)})"
        raise InputError(law, place=str(file), way_out=_FETCH_AGAIN) from error


def _check_length(file: Path) -> None:
    """Raise InputError if a safetensors file is longer or shorter than its header says, or has no such header."""
    size = file.stat().st_size
    with open_regular(file) as opened:
        start = opened.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= 100_000_000:
            law = f"must be a safetensors file, but its first bytes are {start!r}"
            raise InputError(law, place=str(file), way_out=_FETCH_AGAIN)
        text = opened.read(length)
    if len(text) < length:
        raise _cut_off(file, size, f"more than {8 + length:,}")
    try:
        entries = [entry for name, entry in json.loads(text).items() if name != "__metadata__"]
        end = max((int(entry["data_offsets"][1]) for entry in entries), default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        law = "must be a safetensors file, but its header is no table of tensors"
        raise InputError(law, place=str(file), way_out=_FETCH_AGAIN) from error
    if size < 8 + length + end:
        raise _cut_off(file, size, f"{8 + length + end:,}")
    if size > 8 + length + end:
        law = f"must end with its last tensor, but has {size:,} bytes where its header says {8 + length + end:,}"
        raise InputError(law, place=str(file), way_out=_FETCH_AGAIN)


def _cut_off(file: Path, size: int, wanted: str) -> InputError:
    return InputError(f"the file is cut off: it has {size:,} of {wanted} bytes", place=str(file), way_out=_FETCH_AGAIN)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
