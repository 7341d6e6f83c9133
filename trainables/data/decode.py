"""Decode image files to RGB: the one door for training, features, evaluation, checks and reports. No torch.

Pillow's own limit on the size of images, and its warnings, are turned off in this process: the limit is the source's,
and what is done to an image is counted.
"""

from __future__ import annotations

import ctypes
import io
import logging
import re
import warnings
from contextlib import nullcontext
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, _imaging

from search_spaces.spec import PixelSpec
from trainables.data.file_kinds import RAW_PHOTOGRAPH, is_raw_photograph, kind_of
from trainables.data.image_damage import damage_of, lacks_rows
from trainables.model.rgb import Rgb, Treatment, to_rgb, upright_size

Image.MAX_IMAGE_PIXELS = None
PngImagePlugin.MAX_TEXT_CHUNK = 64 << 20
"""Colour profiles and texts of intact images are larger than Pillow's 1 MB."""
PngImagePlugin.MAX_TEXT_MEMORY = 256 << 20

_NOT_READ = ("BUFR", "EPS", "FITS", "GRIB", "HDF5", "MPEG", "WMF")
"""Formats that Pillow recognises and cannot read alone, or without the meaning of their samples."""
_LARGE = 64_000_000
"""Pixels of an image of which one at a time is decoded, so that threads do not multiply its memory."""
_CHECKED_SCALE = 8
"""JPEGs are checked at an eighth of their side: their whole stream is read, most of the arithmetic is not done."""
_PREVIEW_TAG, _DNG_TAG = 254, 50706
"""Tags of TIFF: whether a picture is a smaller version of another one, and the version of a raw photograph."""
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>")

_one_large_image = Lock()


def _silence_libraries() -> None:
    """Keep what Pillow logs and what libtiff writes to stderr about broken files from the terminal."""
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    core: Any = _imaging
    libraries = ctypes.CDLL(core.__file__)  # a name is looked up in the libraries that Pillow is linked to, too
    for setter in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        silence = getattr(libraries, setter, None)
        if silence is not None:
            silence(None)


_silence_libraries()


class UnusableImageError(Exception):
    """Raised for an image that cannot be used; its text ends a sentence about it: "is empty"."""

    def __init__(self, words: str, *, is_intact: bool = False) -> None:
        """Keep the words, and whether the image is whole and a declaration of its source would make it usable."""
        super().__init__(words)
        self.is_intact = is_intact


def decode(data: bytes, pixels: PixelSpec) -> Rgb:
    """Decode an image to RGB as a person sees it, and shrink one that is larger than its source allows.

    Args:
        data: the image file.
        pixels: how the image's source becomes pixels.

    Raises:
        UnusableImageError: it is no image, damaged, too large, or its samples have no plain meaning.
    """
    with _opened(data, pixels) as picture:
        return _rgb(data, picture, pixels, 1)


def check(data: bytes, pixels: PixelSpec) -> tuple[Treatment, ...]:
    """Check that an image is whole; return what is done to it when it is decoded.

    Beyond what decoding finds, checksums of PNG are compared, and files are found that were not written to their end.

    Args:
        data: the image file.
        pixels: how the image's source becomes pixels.

    Raises:
        UnusableImageError: as `decode` does, or the file is damaged in a way that decoding does not notice.
    """
    with _opened(data, pixels) as picture:
        treatments = _rgb(data, picture, pixels, _CHECKED_SCALE).treatments
        damage = damage_of(data, picture.format)
        if damage is None and picture.format == "PNG" and _ends_black(picture) and lacks_rows(data):
            damage = "is cut off: its data end before the picture does"
        if damage is not None:
            raise UnusableImageError(damage)
        return (*treatments, "first of several frames") if _is_animated(picture) else treatments


def shown_size(data: bytes, pixels: PixelSpec) -> tuple[int, int]:
    """Read width and height of an image in px, as it is shown, from its header.

    Args:
        data: the image file.
        pixels: how the image's source becomes pixels.

    Raises:
        UnusableImageError: it is no image, or too large.
    """
    with _opened(data, pixels) as picture:
        return upright_size(picture)


def _opened(data: bytes, pixels: PixelSpec) -> Image.Image:
    """Open an image file; only its header is read."""
    if not data:
        raise UnusableImageError("is empty")
    if is_raw_photograph(data):
        raise UnusableImageError(RAW_PHOTOGRAPH)
    _ignore_warnings_of_pillow()
    try:
        picture: Image.Image = Image.open(io.BytesIO(data), formats=_formats())
    except Exception as error:  # pillow's plug-ins raise whatever broken bytes lead them to: all of it is one finding
        raise UnusableImageError(damage_of(data, None) or kind_of(data)) from error
    tags = getattr(picture, "tag_v2", {})
    if _DNG_TAG in tags or tags.get(_PREVIEW_TAG, 0) & 1:
        raise UnusableImageError(RAW_PHOTOGRAPH)
    if picture.width * picture.height > pixels.limit * 1_000_000:
        megapixels = picture.width * picture.height / 1e6
        raise UnusableImageError(
            f"is {picture.width:,} x {picture.height:,} px, {megapixels:,.0f} megapixels, and the limit of its source "
            f"is {pixels.limit:,}: raise `pixels: {{limit: ...}}` of the source, or shrink the file",
            is_intact=True,
        )
    return picture


def _rgb(data: bytes, picture: Image.Image, pixels: PixelSpec, scale: int) -> Rgb:
    """Decode an opened image; JPEGs to a `scale`-th of their side at least."""
    size = picture.width * picture.height
    halvings = _halvings(size, pixels)
    with _one_large_image if size > _LARGE else nullcontext():
        try:
            asked = max(scale, 2**halvings)
            before = picture.size
            if picture.format == "JPEG" and asked > 1:
                picture.draft(None, tuple(max(1, side // asked) for side in before))
            drafted = max(1, round(before[0] / picture.width))
            rgb = to_rgb(picture, pixels)
        except ValueError as error:
            words = _unclear(data, picture, error)
            raise UnusableImageError(words, is_intact="declare `pixels" in words) from error
        except Exception as error:  # as above
            raise UnusableImageError(_broken(data, picture, error)) from error
        if not halvings:
            return rgb
        left = max(1, 2**halvings // drafted)
        return Rgb(rgb.picture.reduce(left) if left > 1 else rgb.picture, (*rgb.treatments, "shrunk on read"))


def _halvings(size: int, pixels: PixelSpec) -> int:
    """Count how often the sides of an image of `size` pixels are halved."""
    halvings = 0
    while size > pixels.shrink_above * 1_000_000 * 4**halvings:
        halvings += 1
    return halvings


def _unclear(data: bytes, picture: Image.Image, error: ValueError) -> str:
    """Say what is wrong with samples without a plain meaning; ValueErrors of Pillow itself are of broken files."""
    if not str(error).startswith("has samples"):
        return _broken(data, picture, error)
    is_declarable = "white" in str(error)
    return f"{error}: declare `pixels: {{white: ...}}` of the source" if is_declarable else str(error)


def _broken(data: bytes, picture: Image.Image, error: Exception) -> str:
    damage = damage_of(data, picture.format)
    if damage is None and ("truncated" in str(error).lower() or isinstance(error, EOFError)):
        damage = "is cut off: its data end before the picture does"
    return damage or (f"is broken ({_ADDRESS.sub('the file', str(error))})" if str(error) else kind_of(data))


def _ends_black(picture: Image.Image) -> bool:
    """Tell whether all samples of the last row are 0, as those of rows are that a file does not hold."""
    last = np.asarray(picture.crop((0, picture.height - 1, picture.width, picture.height)))
    return not bool(last.any())


def _is_animated(picture: Image.Image) -> bool:
    try:
        return bool(getattr(picture, "is_animated", False))
    except Exception:  # further frames that cannot be read are not used
        return False


def _formats() -> list[str]:
    Image.init()
    return [name for name in Image.ID if name not in _NOT_READ]


def _ignore_warnings_of_pillow() -> None:
    """Silence warnings of Pillow's modules; whoever else sets filters of this process may have removed it."""
    pattern = r"PIL\."
    patterns = (
        getattr(module, "pattern", module) for action, _, _, module, _ in warnings.filters if action == "ignore"
    )
    if pattern not in patterns:
        warnings.filterwarnings("ignore", module=pattern)
