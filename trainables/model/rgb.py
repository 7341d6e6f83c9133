"""Convert a picture of any mode and depth to RGB of 8 bits, upright and opaque: what a person sees of it.

Pillow's own `convert("RGB")` clips samples of more than 8 bits at 255, forgets transparency and leaves a picture on its
side. The module imports nothing of this project, so that an exported model carries it as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image

Treatment = Literal[
    "scaled from 16 bits",
    "scaled from 32 bits",
    "scaled from floats",
    "colours of 16 bits, read as 8",
    "nearly black after scaling",
    "composed on the ground",
    "wholly transparent",
    "turned upright",
    "shrunk on read",
    "first of several frames",
]
"""What was done to a picture, or is worth a note, as it is counted per source."""

CHANGES_PIXELS: Mapping[Treatment, bool] = {
    "scaled from 16 bits": True,
    "scaled from 32 bits": True,
    "scaled from floats": True,
    "colours of 16 bits, read as 8": False,
    "nearly black after scaling": False,
    "composed on the ground": True,
    "wholly transparent": False,
    "turned upright": True,
    "shrunk on read": True,
    "first of several frames": False,
}
"""Whether pixels differ from those of Pillow's plain conversion to RGB, which digests without a version stand for."""

Ground = tuple[int, int, int]
_Samples = np.ndarray[Any, np.dtype[Any]]

_ORIENTATION = 0x0112
_UPRIGHT: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright. 1 is upright; other values mean nothing."""
_ON_THEIR_SIDE = (5, 6, 7, 8)
_UPRIGHT_BY_PILLOW = ("TIFF",)
"""Formats that Pillow makes upright as it loads them."""

_DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_MAY_BE_TRANSPARENT = ("1", "L", "RGB", "P", "LA", "La", "PA", "RGBA", "RGBa")
_SCALED_TO_16_BITS = ("PPM", "PNG")
"""Formats whose whole samples Pillow reads as 32 bits, scaled to 16 bits by the maximum that the file declares."""
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ZERO_IS_WHITE = 258, 262, 0
"""Tags of TIFF."""
_WHITE_OF_16_BITS = 65535
_DARK = 16
"""Samples that use no more than this part of their range leave 16 of 256 levels: hardly anything to see."""


class PixelSettings(Protocol):
    """What a source declares of its pictures, where their files leave it open."""

    @property
    def ground(self) -> Ground: ...
    @property
    def white(self) -> float | None: ...


@dataclass(frozen=True)
class Rgb:
    """Picture as a person sees it."""

    picture: Image.Image
    treatments: tuple[Treatment, ...]
    """What was done to it."""


def to_rgb(picture: Image.Image, settings: PixelSettings) -> Rgb:
    """Convert a picture to RGB of 8 bits: samples scaled, transparent parts on the ground, EXIF orientation applied.

    Colours that are not RGB (palette, CMYK, YCbCr, Lab) are converted by Pillow; colour profiles are not applied.

    Args:
        picture: as `Image.open` gives it, its first frame; loaded or not.
        settings: ground of transparent parts, and the sample that is white where the file does not say.

    Raises:
        ValueError: samples whose range has no plain meaning; what Pillow raises of a broken file.
    """
    raw_mode = _raw_mode(picture)  # before loading: Pillow forgets it
    picture.load()
    treatments: list[Treatment] = []
    if picture.mode in _DEEP:
        rgb = _from_deep_grey(picture, raw_mode, settings, treatments)
    else:
        if ";16" in raw_mode and not raw_mode.startswith("BGR"):
            treatments.append("colours of 16 bits, read as 8")
        rgb = _from_8_bits(picture, raw_mode, settings, treatments)
    method = _UPRIGHT.get(orientation(picture))
    if method is not None:
        rgb = rgb.transpose(method)
        treatments.append("turned upright")
    return Rgb(rgb, tuple(treatments))


def orientation(picture: Image.Image) -> int:
    """Read the EXIF orientation, 1 to 8; 1, which is upright, where there is none or it cannot be read."""
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken EXIF raises whatever its bytes lead to, and does not make the picture a broken one
        return 1
    return value if isinstance(value, int) and value in _UPRIGHT else 1


def upright_size(picture: Image.Image) -> tuple[int, int]:
    """Return width and height of a picture in px, as it is shown."""
    width, height = picture.size
    is_lying = picture.format not in _UPRIGHT_BY_PILLOW and orientation(picture) in _ON_THEIR_SIDE
    return (height, width) if is_lying else (width, height)


def _raw_mode(picture: Image.Image) -> str:
    """Return Pillow's name of how samples lie in the file, such as `RGB;16B`; "" where it is not known any more."""
    tiles = getattr(picture, "tile", None)
    layout = tiles[0][3] if tiles else ""
    if isinstance(layout, tuple):
        layout = layout[0] if layout else ""
    return layout if isinstance(layout, str) else ""


def _from_8_bits(
    picture: Image.Image, raw_mode: str, settings: PixelSettings, treatments: list[Treatment]
) -> Image.Image:
    if picture.mode not in _MAY_BE_TRANSPARENT or not picture.has_transparency_data:
        return picture.convert("RGB")
    if picture.mode in ("La", "RGBa"):
        picture = picture.convert("LA" if picture.mode == "La" else "RGBA")
    colour = picture.info.get("transparency")
    if colour is not None:
        picture.info["transparency"] = _as_8_bits(colour, raw_mode)
    return _composed(picture.convert("RGBA"), settings, treatments)


def _as_8_bits(colour: Any, raw_mode: str) -> Any:
    """Scale the transparent colour of a PNG to 8 bits, as Pillow scales its samples but not this."""
    if isinstance(colour, int) and raw_mode in ("L;2", "L;4"):
        return colour * 255 // (2 ** int(raw_mode[-1]) - 1)
    if isinstance(colour, tuple) and raw_mode == "RGB;16B":
        return tuple(sample >> 8 for sample in colour)
    return colour


def _composed(rgba: Image.Image, settings: PixelSettings, treatments: list[Treatment]) -> Image.Image:
    least, most = rgba.getchannel("A").getextrema()
    if least == 255:
        return rgba.convert("RGB")
    treatments.append("composed on the ground")
    if most == 0:
        treatments.append("wholly transparent")
    ground = Image.new("RGBA", rgba.size, (*settings.ground, 255))
    return Image.alpha_composite(ground, rgba).convert("RGB")


def _from_deep_grey(
    picture: Image.Image, raw_mode: str, settings: PixelSettings, treatments: list[Treatment]
) -> Image.Image:
    """Scale grey samples of more than 8 bits: 0 is black, and what the file or the source declares is white."""
    samples = np.asarray(picture)
    is_float = picture.mode == "F"
    white = settings.white if settings.white is not None else _declared_white(picture, raw_mode)
    if white is None:
        raise ValueError(f"has samples of {raw_mode or picture.mode} {_range(samples)}, and nothing says what is white")
    _check_range(samples, white, settings.white is not None)
    if is_float:
        grey = np.rint(np.clip(samples.astype(np.float64) / white, 0, 1) * 255).astype(np.uint8)
        treatments.append("scaled from floats")
    else:
        grey = np.clip(samples.astype(np.int64) * 256 // (int(white) + 1), 0, 255).astype(np.uint8)
        treatments.append("scaled from 16 bits" if white <= _WHITE_OF_16_BITS else "scaled from 32 bits")
        if settings.white is None and int(samples.max()) * _DARK <= white:
            treatments.append("nearly black after scaling")
    tags = getattr(picture, "tag_v2", {})
    if tags.get(_PHOTOMETRIC) == _ZERO_IS_WHITE:
        grey = 255 - grey
    rgb = Image.fromarray(grey).convert("RGB")
    colour = picture.info.get("transparency")
    if not isinstance(colour, int):
        return rgb
    rgb.putalpha(Image.fromarray(np.where(samples == colour, 0, 255).astype(np.uint8)))
    return _composed(rgb, settings, treatments)


def _declared_white(picture: Image.Image, raw_mode: str) -> float | None:
    """Return the sample that is white by the file's own declaration or format; None where there is none."""
    if picture.mode == "F":
        return 1.0
    if picture.mode == "I":
        return _WHITE_OF_16_BITS if picture.format in _SCALED_TO_16_BITS else None
    bits = getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))
    return float(2 ** int(bits[0] if isinstance(bits, tuple) else bits) - 1)


def _check_range(samples: _Samples, white: float, is_declared: bool) -> None:
    """Raise ValueError for samples outside of black to white, by more than half a level of 8 bits."""
    half = white / 510
    if not np.isfinite(samples).all():
        raise ValueError("has samples that are no numbers (NaN or infinite)")
    if samples.min() < -half:
        raise ValueError(f"has samples below 0 ({_range(samples)})")
    if samples.max() > white + half:
        told = f"where white is declared as {white:g}" if is_declared else "where 1 would be white"
        raise ValueError(f"has samples {_range(samples)}, {told}")


def _range(samples: _Samples) -> str:
    return f"from {samples.min():g} to {samples.max():g}"
