"""Tell what a file is that is no image that can be read: the words of `data check` and preparation. No torch."""

from __future__ import annotations

import re

_LFS = b"version https://git-lfs"
_TEXT_SHOWN = 40

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (_LFS, "is a Git LFS pointer, not the image: fetch the file with `git lfs pull`"),
    (b"%PDF", "is a PDF, no image: convert its pages to PNG"),
    (b"%!PS", "is PostScript, which is not read: convert it to PNG"),
    (b"\xc5\xd0\xd3\xc6", "is PostScript, which is not read: convert it to PNG"),
    (b"PK\x03\x04", "is a ZIP archive, no image: unpack it"),
    (b"\x1f\x8b", "is compressed with gzip, no image: unpack it"),
    (b"BZh", "is compressed with bzip2, no image: unpack it"),
    (b"\xfd7zXZ\x00", "is compressed with xz, no image: unpack it"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd, no image: unpack it"),
    (b"Rar!", "is a RAR archive, no image: unpack it"),
    (b"7z\xbc\xaf", "is a 7z archive, no image: unpack it"),
    (b"\x93NUMPY", "is a NumPy array, no image: save it as PNG"),
    (b"\x89HDF", "is HDF5, no image"),
    (b"CDF\x01", "is NetCDF, no image"),
    (b"SIMPLE  =", "is FITS, which is not read: save it as PNG"),
    (b"GRIB", "is GRIB, no image"),
    (b"BUFR", "is BUFR, no image"),
    (b"v/1\x01", "is OpenEXR, which is not read: convert it to PNG"),
    (b"#?RADIANCE", "is Radiance HDR, which is not read: convert it to PNG"),
    (b"\xff\x0a", "is JPEG XL, which is not read: convert it to PNG or JPEG"),
    (b"\x00\x00\x00\x0cJXL ", "is JPEG XL, which is not read: convert it to PNG or JPEG"),
    (b"\xd7\xcd\xc6\x9a", "is a Windows metafile, which is not read: convert it to PNG"),
    (b"gimp xcf", "is a GIMP project, which is not read: export it as PNG"),
    (b"\x1aE\xdf\xa3", "is a video (Matroska or WebM), no image: extract a frame"),
    (b"FLV\x01", "is a video (Flash), no image: extract a frame"),
    (b"\x00\x00\x01\xba", "is a video (MPEG), no image: extract a frame"),
    (b"\x00\x00\x01\xb3", "is a video (MPEG), no image: extract a frame"),
    (b"OggS", "is Ogg audio or video, no image"),
    (b"ID3", "is MP3 audio, no image"),
    (b"\x7fELF", "is a program, no image"),
)
_RAW = (b"II*\x00\x10\x00\x00\x00CR", b"IIRO", b"IIU\x00", b"FUJIFILMCCD-RAW")
RAW_PHOTOGRAPH = "is a raw photograph of a camera, which is not read: develop it to JPEG or PNG"
_BASE64 = (b"data:image/", b"/9j/", b"iVBORw0KGgo", b"R0lGOD", b"UklGR")
_CONTAINERS = {b"AVI ": "is a video (AVI), no image: extract a frame", b"WAVE": "is WAV audio, no image"}
"""Of RIFF."""
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_KNOWN = (
    (b"\xff\xd8", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)


def kind_of(data: bytes) -> str:
    """Say what a file is that cannot be read as an image, as the end of a sentence about it: "is HTML, no image"."""
    if not data:
        return "is empty"
    if not data.strip(b"\x00"):
        return f"is {len(data):,} zero bytes: it was not written"
    if is_raw_photograph(data):
        return RAW_PHOTOGRAPH
    for beginning, words in _BEGINNINGS:
        if data.startswith(beginning):
            return words
    return _container(data) or _known_format(data) or _text(data) or "is no image, or of a format that is not read"


def is_raw_photograph(data: bytes) -> bool:
    """Tell whether a file is a raw photograph, of which Pillow would open the small preview."""
    return data.startswith(_RAW)


def _container(data: bytes) -> str | None:
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand in _HEIF:
            return "is HEIF (HEIC), which is not read: convert it to JPEG or PNG"
        if brand in (b"avif", b"avis"):
            return "is an AVIF that cannot be read: it is cut off or broken"
        if brand == b"crx ":
            return RAW_PHOTOGRAPH
        return "is a video (MP4 or QuickTime), no image: extract a frame"
    if data.startswith(b"RIFF"):
        if data[8:12] == b"WEBP":
            return "is a WebP that cannot be read: it is cut off or broken"
        return _CONTAINERS.get(data[8:12])
    if data[128:132] == b"DICM":
        return "is DICOM, which is not read: save it as PNG"
    return None


def _known_format(data: bytes) -> str | None:
    for beginning, name in _KNOWN:
        if data.startswith(beginning):
            if name == "JPEG" and (_jpeg_depth(data) or 8) > 8:
                return f"is a JPEG of {_jpeg_depth(data)} bits, which is not read: convert it to PNG"
            return f"is a {name} that cannot be read: it is cut off, broken, or of a kind that is not read"
    return None


def _jpeg_depth(data: bytes) -> int | None:
    """Read the bits of a JPEG's samples from its frame header; None if there is none."""
    at = 2
    while at + 4 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[at + 4]
        at += 2 + length
    return None


def _text(data: bytes) -> str | None:
    """Say which kind of text a file is; None if it is none."""
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(_BASE64):
        return "is an image written as base64 text: decode it"
    lower = head.lower()
    if b"<svg" in lower:
        return "is SVG, which is not read: convert it to PNG"
    if re.match(rb"<!doctype html|<html|<head|<body|<script", lower) or b"<html" in lower:
        return "is HTML, no image: the download went to a page"
    if lower.startswith(b"<?xml") or re.match(rb"<[a-z]+[ >]", lower):
        return "is XML, no image"
    try:
        words = " ".join(head[:1024].decode("utf-8", "strict" if len(data) <= 1024 else "ignore").split())
    except UnicodeDecodeError:
        return None
    if not words.isprintable() or not words:
        return None
    if words[0] in "{[":
        return "is JSON, no image"
    return f"is text, no image (it begins {words[:_TEXT_SHOWN]!r})"
