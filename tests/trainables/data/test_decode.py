"""One door decodes every image: large ones are shrunk, or refused by their limit; unusable ones are named."""

from __future__ import annotations

import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from search_spaces.spec import PixelSpec
from tests.support.image_files import chunk, png, saved, tiff
from trainables.data.decode import UnusableImageError, check, decode, shown_size

PLAIN = PixelSpec()
NOISE = Image.effect_noise((120, 90), 90)


def _problem(data: bytes, **pixels: Any) -> str:
    with pytest.raises(UnusableImageError) as caught:
        check(data, PixelSpec(**pixels))
    return str(caught.value)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_a_larger_image_than_is_shrunk_above_is_halved_until_it_is_not(image_format: str) -> None:
    data = saved(Image.new("L", (2400, 1800), 77), image_format)
    decoded = decode(data, PixelSpec(shrink_above=2))
    assert (decoded.picture.size, decoded.treatments) == ((1200, 900), ("shrunk on read",))
    assert decoded.picture.getpixel((600, 450)) == (77, 77, 77)
    assert check(data, PixelSpec(shrink_above=2)) == ("shrunk on read",)
    assert decode(data, PixelSpec(shrink_above=1)).picture.size == (600, 450)
    assert decode(data, PLAIN).picture.size == (2400, 1800)


def test_an_image_above_the_limit_is_refused_by_its_size_and_not_called_broken() -> None:
    words = _problem(saved(Image.new("L", (1500, 1000)), "PNG"), limit=1)
    assert "1,500 x 1,000 px, 2 megapixels" in words
    assert "`pixels: {limit: ...}`" in words
    assert "broken" not in words


def test_an_image_beyond_pillows_own_limit_is_read_without_a_warning() -> None:
    data = saved(Image.new("1", (16_000, 12_000), 1), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check(data, PLAIN) == ("shrunk on read",)
    assert shown_size(data, PLAIN) == (16_000, 12_000)


_CUT_EXIF = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x02\x01\x12\x00\x03\xff"


@pytest.mark.parametrize(
    "data",
    [
        png(np.array([[0, 1]]), 8, 3, [(b"PLTE", bytes(6)), (b"tRNS", bytes([0, 128]))]),
        saved(
            Image.new("RGB", (8, 8)), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x02\x01\x12\x00\x03\xff"
        ),
        tiff(np.zeros((4, 4), np.uint8)).replace(b"\x06\x01\x03\x00\x01", b"\x06\x01\x03\x00\x02"),
    ],
    ids=["palette", "exif", "tiff"],
)
def test_no_warning_of_pillow_reaches_a_terminal(data: bytes, recwarn: pytest.WarningsRecorder) -> None:
    check(data, PLAIN)
    assert [str(warning.message) for warning in recwarn] == []


def test_profiles_and_texts_larger_than_pillow_allows_do_not_make_a_png_a_broken_one() -> None:
    text = b"Comment\x00\x00" + zlib.compress(bytes(3 << 20))
    check(png(np.zeros((2, 2), int), 8, chunks=[(b"zTXt", text)]), PLAIN)


def test_the_first_of_several_frames_is_taken_and_counted() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for image_format in ("GIF", "PNG", "WEBP", "TIFF"):
        data = saved(frames[0], image_format, save_all=True, append_images=frames[1:])
        red, _, blue = decode(data, PLAIN).picture.getpixel((0, 0))  # type: ignore[misc]
        assert (red > 200, blue < 50) == (True, True)
        assert "first of several frames" in check(data, PLAIN)


JPEG, PNG = saved(NOISE, "JPEG"), saved(NOISE, "PNG")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (bytes(500), "is 500 zero bytes: it was not written"),
        (b"\n <!DOCTYPE html><html><body>404</body></html>", "is HTML, no image"),
        (b"\xef\xbb\xbf<html>", "is HTML, no image"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "is XML, no image"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "is SVG, which is not read"),
        (b"<svg></svg>", "is SVG, which is not read"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a Git LFS pointer"),
        (b'{"error": 1}', "is JSON, no image"),
        (b"Not Found", "is text, no image (it begins 'Not Found')"),
        (b"iVBORw0KGgoAAAANSUhEUg==", "is an image written as base64 text"),
        (b"data:image/png;base64,iVBORw0KGgo=", "is an image written as base64 text"),
        (b"%PDF-1.7\n", "is a PDF, no image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "is PostScript"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "is HEIF (HEIC)"),
        (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", "is an AVIF that cannot be read"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00", "is a video (MP4 or QuickTime)"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "is a video (AVI)"),
        (b"\x1aE\xdf\xa3\x01", "is a video (Matroska or WebM)"),
        (b"\x00\x00\x01\xba\x44", "is a video (MPEG)"),
        (b"PK\x03\x04", "is a ZIP archive"),
        (b"\x1f\x8b\x08", "is compressed with gzip"),
        (b"\x93NUMPY\x01\x00", "is a NumPy array"),
        (b"\xff\x0a\x00", "is JPEG XL"),
        (bytes(128) + b"DICM", "is DICOM"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "is a raw photograph of a camera"),
        (b"\x8a\x99\x05\x77" * 20, "is no image, or of a format that is not read"),
        (JPEG.decode("utf-8", "replace").encode(), "was saved as text"),
        (JPEG[: len(JPEG) // 2], "is cut off"),
        (PNG[: len(PNG) // 2], "is cut off"),
        (JPEG[: len(JPEG) // 2] + bytes(len(JPEG) // 2), "is cut off: zeros stand where the rest of it should be"),
        (PNG[: len(PNG) // 2] + bytes(len(PNG) // 2), "is cut off: zeros stand where the rest of it should be"),
        (JPEG[:20], "is a JPEG that cannot be read"),
        (PNG[:20], "is a PNG that cannot be read"),
        (PNG.replace(b"IDAT", b"IDAT\x55"[:4], 1)[:-20] + b"\x01" * 8 + PNG[-12:], "checksum"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)), "that cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named_for_what_it_is(data: bytes, words: str) -> None:
    assert words in _problem(data)
    assert _problem(data) == _problem(data)
    assert "0x" not in _problem(data)


@pytest.mark.parametrize(
    "image_format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000", "AVIF", "PPM", "TGA"]
)
def test_a_file_that_ends_at_half_is_never_taken_for_whole(image_format: str) -> None:
    whole = saved(NOISE.convert("RGB"), image_format)
    assert check(whole, PLAIN) == ()
    assert _problem(whole[: len(whole) // 2])


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (7, 200)])
def test_small_jpegs_are_whole(size: tuple[int, int]) -> None:
    assert check(saved(Image.new("RGB", size), "JPEG"), PLAIN) == ()


@pytest.mark.parametrize("data", [JPEG + bytes(100), PNG + bytes(100), PNG[:-12], PNG[:-2]])
def test_bytes_after_the_end_and_a_missing_end_chunk_do_not_make_a_whole_picture_a_broken_one(data: bytes) -> None:
    assert check(data, PLAIN) == ()


def test_libraries_write_nothing_about_a_broken_file(capfd: pytest.CaptureFixture[str]) -> None:
    whole = saved(NOISE, "TIFF", compression="tiff_lzw")
    for share in range(1, 10):
        assert _problem(whole[: len(whole) * share // 10])
        with pytest.raises(UnusableImageError):
            check(whole.replace(b"\x06\x01\x03\x00", b"\x15\x01\x03\x00")[: -share * 20], PLAIN)
    assert capfd.readouterr() == ("", "")


def test_a_tiff_whose_first_picture_is_a_preview_is_a_raw_photograph() -> None:
    data = tiff(np.zeros((4, 4), np.uint8))
    preview = data.replace(
        b"\x12\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00", b"\xfe\x00\x04\x00\x01\x00\x00\x00\x01\x00\x00\x00"
    )
    assert preview != data
    assert "raw photograph" in _problem(preview)
