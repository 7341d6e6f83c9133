"""A picture of any mode becomes what a person sees of it: scaled, on a ground, upright."""

from __future__ import annotations

import io
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image, ImageCms

from search_spaces.spec import PixelSpec
from tests.support.image_files import COLOUR, GREY, PALETTE, png, saved, tiff, with_orientation
from trainables.model.rgb import CHANGES_PIXELS, Rgb, Treatment, to_rgb, upright_size

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def _rgb(data: bytes, **pixels: Any) -> Rgb:
    return to_rgb(Image.open(io.BytesIO(data)), PixelSpec(**pixels))


def _grey(data: bytes, **pixels: Any) -> np.ndarray[Any, Any]:
    return np.asarray(_rgb(data, **pixels).picture)[:, :, 0]


def test_every_treatment_says_whether_it_changes_pixels() -> None:
    assert set(CHANGES_PIXELS) == set(get_args(Treatment))


@pytest.mark.parametrize(
    "data",
    [
        png(RAMP.astype(int) * 257, 16),
        png(RAMP.astype(int) * 257, 16, chunks=[(b"sBIT", b"\x08")]),
        tiff(RAMP.astype("<u2") * 257),
        tiff(RAMP.astype("<u2") * 16, bits=12),
        tiff(65535 - RAMP.astype("<u2") * 257, photometric=0),
        tiff(RAMP.astype("<f4") / 255),
        b"P5\n8 8\n65535\n" + (RAMP.astype(np.uint16) * 257).astype(">u2").tobytes(),
        b"P5\n8 8\n4095\n" + (RAMP.astype(np.uint16) * 16).astype(">u2").tobytes(),
        b"Pf\n8 8\n-1.0\n" + (RAMP[::-1].astype("<f4") / 255).tobytes(),
        saved(Image.fromarray(RAMP.astype(np.uint16) * 257), "JPEG2000"),
    ],
    ids=["png", "png-sbit", "tiff", "tiff-12", "tiff-zero-is-white", "tiff-float", "pgm", "pgm-4095", "pfm", "jp2"],
)
def test_deep_grey_is_scaled_to_8_bits_by_what_the_file_declares(data: bytes) -> None:
    assert np.abs(_grey(data).astype(int) - RAMP).max() <= 1
    assert _rgb(data).treatments in (("scaled from 16 bits",), ("scaled from floats",))


def test_12_bits_kept_in_16_are_noted_as_nearly_black_and_scaled_once_their_white_is_declared() -> None:
    data = png(RAMP.astype(int) * 16, 16)
    assert "nearly black after scaling" in _rgb(data).treatments
    assert np.array_equal(_grey(data, white=4095), RAMP)
    assert _rgb(data, white=4095).treatments == ("scaled from 16 bits",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff(RAMP.astype("<f4")), "from 0 to 252, where 1 would be white"),
        (tiff(RAMP.astype("<f4") - 300), "below 0 .from -300 to -48.$"),
        (tiff(np.full((2, 2), np.nan, "<f4")), "no numbers"),
        (tiff(RAMP.astype("<i4")), "nothing says what is white"),
        (tiff(RAMP.astype("<i2") - 5), "nothing says what is white"),
        (tiff(RAMP.astype("<u4") << 24), "nothing says what is white"),
    ],
)
def test_samples_without_a_plain_meaning_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _rgb(data)


def test_floats_of_another_range_are_scaled_by_a_declared_white_and_refused_beyond_it() -> None:
    assert np.array_equal(_grey(tiff(RAMP.astype("<f4")), white=255), RAMP)
    with pytest.raises(ValueError, match="where white is declared as 100"):
        _rgb(tiff(RAMP.astype("<f4")), white=100)


ALPHA = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)


@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0), (10, 200, 30)])
@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "TGA", "GIF"])
def test_transparent_parts_are_composed_on_the_ground(image_format: str, ground: tuple[int, int, int]) -> None:
    alpha = np.where(ALPHA < 128, 0, 255).astype(np.uint8) if image_format == "GIF" else ALPHA
    rgba = np.dstack([np.full((8, 8, 3), 40, np.uint8), alpha])
    options: dict[str, Any] = {"WEBP": {"lossless": True, "exact": True}}.get(image_format, {})
    rgb = _rgb(saved(Image.fromarray(rgba), image_format, **options), ground=ground)
    share = alpha[:, :, None] / 255
    assert np.abs(np.asarray(rgb.picture) - (40 * share + np.array(ground) * (1 - share))).max() <= 1
    assert rgb.treatments == ("composed on the ground",)


@pytest.mark.parametrize("mode", ["LA", "PA", "La", "RGBa", "RGBA"])
def test_pictures_in_memory_with_alpha_of_every_mode_are_composed(mode: str) -> None:
    rgba = Image.fromarray(np.dstack([np.full((8, 8, 3), 40, np.uint8), ALPHA]))
    picture = rgba.convert("LA").convert("La") if mode == "La" else rgba.convert(mode)
    if mode == "PA":
        picture.putalpha(Image.fromarray(ALPHA))
    expected = 40 * (ALPHA / 255) + 255 * (1 - ALPHA / 255)
    assert np.abs(np.asarray(to_rgb(picture, PixelSpec()).picture)[:, :, 0] - expected).max() <= 2


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_of_a_png_is_the_ground_at_any_depth(depth: int) -> None:
    top = 2**depth - 1
    samples = np.array([[0, top], [top, 0]])
    data = png(samples, depth, GREY, [(b"tRNS", (0).to_bytes(2, "big"))])
    assert np.array_equal(_grey(data), [[255, 255], [255, 255]])
    assert np.array_equal(_grey(data, ground=(9, 9, 9)), [[9, 255], [255, 9]])


def test_a_transparent_middle_grey_of_4_bits_is_the_ground() -> None:
    data = png(np.array([[5, 6], [15, 0]]), 4, GREY, [(b"tRNS", (5).to_bytes(2, "big"))])
    assert np.array_equal(_grey(data, ground=(1, 1, 1)), [[1, 102], [255, 0]])


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour_of_a_png_is_the_ground(depth: int) -> None:
    scale = 257 if depth == 16 else 1
    samples = np.array([[[10, 20, 30], [40, 50, 60]]]) * scale
    key = b"".join(int(sample * scale).to_bytes(2, "big") for sample in (10, 20, 30))
    seen = np.asarray(_rgb(png(samples, depth, COLOUR, [(b"tRNS", key)])).picture)
    assert seen.tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_a_palette_with_a_list_of_transparencies_is_composed() -> None:
    chunks = [(b"PLTE", bytes([0, 0, 0, 200, 0, 0, 0, 0, 200])), (b"tRNS", bytes([0, 128]))]
    seen = np.asarray(_rgb(png(np.array([[0, 1, 2]]), 8, PALETTE, chunks)).picture)
    assert np.abs(seen.astype(int) - [[[255, 255, 255], [227, 127, 127], [0, 0, 200]]]).max() <= 1


def test_premultiplied_alpha_of_tiff_is_undone_before_it_is_composed() -> None:
    data = tiff(np.array([[[64, 0, 0, 128]]], np.uint8), photometric=2, extra=1)
    assert np.asarray(_rgb(data).picture).tolist() == [[[191, 127, 127]]]


def test_an_opaque_alpha_channel_leaves_the_picture_as_it_ever_was() -> None:
    picture = Image.fromarray(np.dstack([RAMP] * 3 + [np.full((8, 8), 255, np.uint8)]))
    rgb = _rgb(saved(picture, "PNG"))
    assert (rgb.treatments, np.asarray(rgb.picture)[:, :, 0].tolist()) == ((), RAMP.tolist())


def test_a_wholly_transparent_picture_is_noted() -> None:
    assert _rgb(saved(Image.new("RGBA", (4, 4), (3, 4, 5, 0)), "PNG")).treatments == (
        "composed on the ground",
        "wholly transparent",
    )


_LYING = {
    1: lambda shown: shown,
    2: np.fliplr,
    3: lambda shown: np.rot90(shown, 2),
    4: np.flipud,
    5: lambda shown: shown.transpose(1, 0, 2),
    6: lambda shown: np.rot90(shown, 1),
    7: lambda shown: np.rot90(shown, 2).transpose(1, 0, 2),
    8: lambda shown: np.rot90(shown, -1),
}
"""EXIF orientation -> how a picture must be stored to be shown as it is drawn."""


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("value", list(range(1, 9)))
def test_every_orientation_is_upright_in_every_format(value: int, image_format: str) -> None:
    shown = np.zeros((16, 24, 3), np.uint8)
    shown[:8, :12], shown[8:, :12], shown[:8, 12:] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    stored = Image.fromarray(np.ascontiguousarray(_LYING[value](shown)))
    options: dict[str, Any] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}.get(
        image_format, {}
    )
    data = saved(stored, image_format, exif=with_orientation(value), **options)
    rgb = _rgb(data)
    assert upright_size(Image.open(io.BytesIO(data))) == (24, 16)
    assert np.abs(np.asarray(rgb.picture).astype(int) - shown)[2:6, 2:10].max() <= 12
    assert np.abs(np.asarray(rgb.picture).astype(int) - shown).mean() <= 4
    assert ("turned upright" in rgb.treatments) == (value > 1 and image_format != "TIFF")


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_means_nothing_leaves_the_picture_as_it_is(value: int) -> None:
    data = saved(Image.new("RGB", (6, 4)), "PNG", exif=with_orientation(value))
    assert (_rgb(data).picture.size, _rgb(data).treatments) == ((6, 4), ())


def test_broken_exif_does_not_make_a_picture_a_broken_one() -> None:
    data = saved(Image.new("RGB", (8, 8)), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff")
    assert (_rgb(data).picture.size, _rgb(data).treatments) == ((8, 8), ())


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LAB"])
def test_other_modes_are_converted_as_pillow_does_without_a_treatment(mode: str) -> None:
    colours = Image.fromarray(np.dstack([RAMP, RAMP[::-1], RAMP.T]))
    if mode == "LAB":
        into = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        picture = ImageCms.applyTransform(colours, into)
    else:
        picture = colours.convert(mode)
    rgb = to_rgb(picture, PixelSpec())
    assert (rgb.treatments, rgb.picture.tobytes()) == ((), picture.convert("RGB").tobytes())
