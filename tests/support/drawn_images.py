"""Draw images and write them in every form that people have: a file, and what a person sees of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from search_spaces.spec import PixelSpec
from tests.support.image_files import (
    COLOUR,
    COLOUR_ALPHA,
    GREY,
    GREY_ALPHA,
    PALETTE,
    png,
    saved,
    tiff,
    with_orientation,
)

Samples = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Drawn:
    """An image file and what a person sees of it."""

    form: str
    data: bytes = field(repr=False)
    ground: tuple[int, int, int]
    seen: Samples = field(repr=False)
    """Height x width x 3, of 0 to 255, in floats."""
    tolerance: int
    """Levels that a pixel may be off, on the mean where it is more than two: such forms are lossy."""

    @property
    def pixels(self) -> PixelSpec:
        """How a source of it becomes pixels."""
        return PixelSpec(ground=self.ground)

    def is_seen_in(self, picture: Image.Image) -> bool:
        """Check whether a decoded picture is what was drawn."""
        decoded = np.asarray(picture, float)
        if picture.mode != "RGB" or decoded.shape != self.seen.shape:
            return False
        off = np.abs(decoded - self.seen)
        return bool(off.max() <= self.tolerance if self.tolerance <= 2 else off.mean() <= self.tolerance)


@dataclass(frozen=True)
class _Canvas:
    """What an image is drawn from: shades, colours and opacity of each pixel, as stored (before orientation)."""

    grey: Samples
    """Height x width, 0 to 255."""
    rgb: Samples
    alpha: Samples
    ground: tuple[int, int, int]

    def composed(self, colours: Samples, alpha: Samples) -> Samples:
        share = alpha[:, :, None] / 255.0
        composed: Samples = colours * share + np.array(self.ground) * (1 - share)
        return composed


Written = tuple[bytes, Samples]
Form = Callable[[_Canvas, int], Written]


def _on_three(grey: Samples) -> Samples:
    return np.dstack([grey] * 3).astype(float)


def _exif_chunk(orientation: int) -> list[tuple[bytes, bytes]]:
    return [(b"eXIf", with_orientation(orientation).tobytes()[6:])] if orientation > 1 else []


def _png_grey(depth: int, transparent: bool) -> Form:
    def write(canvas: _Canvas, orientation: int) -> Written:
        top = 2**depth - 1
        samples = canvas.grey.astype(int) * top // 255
        shown = samples * 255 // top if depth <= 8 else samples >> 8
        chunks = _exif_chunk(orientation)
        seen = _on_three(shown)
        if transparent:
            key = int(samples[0, 0])
            chunks.append((b"tRNS", key.to_bytes(2, "big")))
            seen[samples == key] = canvas.ground
        return png(samples, depth, GREY, chunks), seen

    return write


def _png_colour(depth: int, alpha: bool) -> Form:
    def write(canvas: _Canvas, orientation: int) -> Written:
        scale = 257 if depth == 16 else 1
        samples = np.dstack([canvas.rgb, canvas.alpha]) if alpha else canvas.rgb
        data = png(samples.astype(int) * scale, depth, COLOUR_ALPHA if alpha else COLOUR, _exif_chunk(orientation))
        return data, canvas.composed(canvas.rgb, canvas.alpha) if alpha else canvas.rgb.astype(float)

    return write


def _png_grey_alpha(depth: int) -> Form:
    def write(canvas: _Canvas, orientation: int) -> Written:
        scale = 257 if depth == 16 else 1
        samples = np.dstack([canvas.grey, canvas.alpha]).astype(int) * scale
        data = png(samples, depth, GREY_ALPHA, _exif_chunk(orientation))
        return data, canvas.composed(_on_three(canvas.grey), canvas.alpha)

    return write


def _png_palette(transparent: bool) -> Form:
    def write(canvas: _Canvas, orientation: int) -> Written:
        colours = np.array([[0, 0, 0], [250, 10, 20], [30, 240, 50], [60, 70, 230]])
        opacity = np.array([0, 128, 255, 255])
        samples = canvas.grey.astype(int) // 64
        chunks = [(b"PLTE", colours.astype(np.uint8).tobytes())]
        chunks += [(b"tRNS", opacity.astype(np.uint8).tobytes())] if transparent else []
        data = png(samples, 8, PALETTE, chunks + _exif_chunk(orientation))
        seen = colours[samples].astype(float)
        return data, canvas.composed(seen, opacity[samples]) if transparent else seen

    return write


def _tiff_grey(kind: str, zero_is_white: bool) -> Form:
    def write(canvas: _Canvas, orientation: int) -> Written:
        stored = 255 - canvas.grey if zero_is_white else canvas.grey
        photometric = 0 if zero_is_white else 1
        tags = {"orientation": orientation}
        seen = _on_three(canvas.grey)
        if kind == "f4":
            return tiff((stored / 255).astype("<f4"), photometric, **tags), seen
        if kind == "u2":
            return tiff(stored.astype("<u2") * 257, photometric, **tags), seen
        if kind == "12":
            return tiff(stored.astype("<u2") * 16 + (stored >> 4), photometric, bits=12, **tags), seen
        return tiff(stored.astype(np.uint8), photometric, **tags), seen

    return write


def _tiff_colour(kind: str, extra: int | None) -> Form:
    def write(canvas: _Canvas, orientation: int) -> Written:
        scale = 257 if kind == "u2" else 1
        colours = canvas.rgb.astype(float)
        if extra is None:
            return tiff(canvas.rgb.astype(f"<{kind}") * scale, 2, orientation=orientation), colours
        alpha = canvas.alpha
        stored = np.round(canvas.rgb * (alpha[:, :, None] / 255)) if extra == 1 else canvas.rgb
        samples = np.dstack([stored, alpha]).astype(f"<{kind}") * scale
        seen = canvas.composed(colours, alpha) if extra in (1, 2) else colours
        return tiff(samples, 2, extra, orientation=orientation), seen

    return write


def _netpbm(top: int) -> Form:
    def write(canvas: _Canvas, orientation: int) -> Written:
        samples = canvas.grey.astype(int) * top // 255
        height, width = samples.shape
        data = samples.astype(">u2" if top > 255 else np.uint8).tobytes()
        return b"P5\n%d %d\n%d\n" % (width, height, top) + data, _on_three(samples * 255 / top)

    return write


def _pfm(canvas: _Canvas, orientation: int) -> Written:
    height, width = canvas.grey.shape
    data = (canvas.grey[::-1] / 255).astype("<f4").tobytes()
    return b"Pf\n%d %d\n-1.0\n" % (width, height) + data, _on_three(canvas.grey)


def _pillow(image_format: str, mode: str, **options: Any) -> Form:
    def write(canvas: _Canvas, orientation: int) -> Written:
        given = dict(options)
        if orientation > 1:
            given["exif"] = with_orientation(orientation)
        if mode == "I;16":
            deep = Image.fromarray(canvas.grey.astype(np.uint16) * 257)
            return saved(deep, image_format, **given), _on_three(canvas.grey)
        if mode in ("RGBA", "LA"):
            alpha = canvas.alpha if image_format != "GIF" else np.where(canvas.alpha < 128, 0, 255).astype(np.uint8)
            colours = canvas.rgb if mode == "RGBA" else canvas.grey
            picture = Image.fromarray(np.dstack([colours, alpha]), mode)
            seen = canvas.composed(colours.astype(float) if mode == "RGBA" else _on_three(colours), alpha)
            return saved(picture, image_format, **given), seen
        plain = Image.fromarray(canvas.grey if mode == "L" else canvas.rgb)
        picture = plain if mode in ("L", "RGB") else plain.convert(mode)
        return saved(picture, image_format, **given), np.asarray(picture.convert("RGB"), float)

    return write


@dataclass(frozen=True)
class _Kind:
    form: Form
    tolerance: int = 1
    turns: bool = False
    """Whether the format carries an orientation."""


_LOSSLESS = {"lossless": True, "exact": True}

KINDS: dict[str, _Kind] = {
    **{f"png-grey-{d}": _Kind(_png_grey(d, False), turns=True) for d in (1, 2, 4, 8, 16)},
    **{f"png-grey-{d}-key": _Kind(_png_grey(d, True), turns=True) for d in (1, 2, 4, 8, 16)},
    **{f"png-colour-{d}": _Kind(_png_colour(d, False), turns=True) for d in (8, 16)},
    **{f"png-colour-alpha-{d}": _Kind(_png_colour(d, True), turns=True) for d in (8, 16)},
    **{f"png-grey-alpha-{d}": _Kind(_png_grey_alpha(d), turns=True) for d in (8, 16)},
    "png-palette": _Kind(_png_palette(False), turns=True),
    "png-palette-alpha": _Kind(_png_palette(True), turns=True),
    **{
        f"tiff-{k}{'-inverse' if inverse else ''}": _Kind(_tiff_grey(k, inverse), turns=True)
        for k, inverse in product(("u1", "12", "u2", "f4"), (False, True))
        if (k, inverse) != ("12", True)  # which Pillow does not read
    },
    **{f"tiff-colour-{k}": _Kind(_tiff_colour(k, None), turns=True) for k in ("u1", "u2")},
    "tiff-alpha": _Kind(_tiff_colour("u1", 2), turns=True),
    "tiff-premultiplied": _Kind(_tiff_colour("u1", 1), tolerance=2, turns=True),
    "tiff-unspecified": _Kind(_tiff_colour("u1", 0), turns=True),
    "tiff-lzw": _Kind(_pillow("TIFF", "RGB", compression="tiff_lzw")),
    "tiff-deflate-16": _Kind(_pillow("TIFF", "I;16", compression="tiff_adobe_deflate")),
    **{f"pgm-{top}": _Kind(_netpbm(top)) for top in (1, 100, 255, 1000, 4095, 65535)},
    "pfm": _Kind(_pfm),
    "jpeg-grey": _Kind(_pillow("JPEG", "L", quality=95), tolerance=6, turns=True),
    "jpeg": _Kind(_pillow("JPEG", "RGB", quality=95, subsampling=0), tolerance=8, turns=True),
    "jpeg-progressive": _Kind(_pillow("JPEG", "RGB", quality=95, subsampling=0, progressive=True), 8, turns=True),
    "jpeg-cmyk": _Kind(_pillow("JPEG", "CMYK", quality=95, subsampling=0), tolerance=10, turns=True),
    "webp": _Kind(_pillow("WEBP", "RGB", **_LOSSLESS), turns=True),
    "webp-alpha": _Kind(_pillow("WEBP", "RGBA", **_LOSSLESS), turns=True),
    "avif": _Kind(_pillow("AVIF", "RGB", quality=100), tolerance=8, turns=True),
    "avif-alpha": _Kind(_pillow("AVIF", "RGBA", quality=100), tolerance=10, turns=True),
    "jp2": _Kind(_pillow("JPEG2000", "RGB")),
    "jp2-alpha": _Kind(_pillow("JPEG2000", "RGBA")),
    "jp2-16": _Kind(_pillow("JPEG2000", "I;16")),
    "gif-alpha": _Kind(_pillow("GIF", "RGBA"), tolerance=4),
    "tga-alpha": _Kind(_pillow("TGA", "RGBA")),
    "ico-alpha": _Kind(_pillow("ICO", "RGBA", sizes=[(16, 16)])),
    "bmp": _Kind(_pillow("BMP", "RGB")),
    "bmp-1": _Kind(_pillow("BMP", "1")),
    "dds-alpha": _Kind(_pillow("DDS", "RGBA")),
    "qoi-alpha": _Kind(_pillow("QOI", "RGBA")),
    "sgi-alpha": _Kind(_pillow("SGI", "RGBA")),
    "pcx": _Kind(_pillow("PCX", "L")),
}
"""Name -> how an image is written, and how exact it is."""

_SHOWN: dict[int, Callable[[Samples], Samples]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}
"""EXIF orientation -> what is shown of stored pixels."""


@st.composite
def drawn_images(draw: st.DrawFn, kinds: tuple[str, ...] = tuple(KINDS)) -> Drawn:
    """Draw an image of some kind, size, orientation and ground: blocks of flat colour, some transparent."""
    name = draw(st.sampled_from(kinds))
    kind = KINDS[name]
    blocks_high, blocks_wide = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**16))
    random = np.random.default_rng(seed)
    block = np.ones((8, 8), np.uint8)

    def flat(low: int, high: int) -> Samples:
        values = random.integers(low, high, (blocks_high, blocks_wide)).astype(np.uint8)
        values.flat[0] = high - 1
        return np.kron(values, block)

    if name.startswith("ico"):
        blocks_high = blocks_wide = 2
    rgb = np.dstack([flat(0, 256) for _ in range(3)])
    canvas = _Canvas(
        grey=flat(0, 256),
        rgb=rgb,
        alpha=255 - flat(0, 256),
        ground=draw(st.sampled_from([(255, 255, 255), (0, 0, 0), (120, 10, 200)])),
    )
    orientation = draw(st.integers(1, 8)) if kind.turns else 1
    data, seen = kind.form(canvas, orientation)
    return Drawn(f"{name}, orientation {orientation}", data, canvas.ground, _SHOWN[orientation](seen), kind.tolerance)
