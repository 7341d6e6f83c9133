"""Find the one image of a record in its fields: `image`, `images`, and what the parts of its messages name."""

from __future__ import annotations

from typing import Any

from trainables.data.formats.record_text import text_of, type_name
from trainables.data.refused import RecordError

MODALITIES = frozenset({"video", "videos", "audio", "audios"})
"""Fields of what is neither text nor image."""
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jp2", ".jfif")
_WAY_OUT = "Write it relative to the source's `image_folder`, without `..`."


def check_modality(row: dict[str, Any]) -> None:
    """Check that a record has no video and no sound. Raises RecordError."""
    if not MODALITIES.isdisjoint(row):
        held = sorted(key for key in MODALITIES & row.keys() if row[key])
        if held:
            law = f"records are of text and images, but this has {', '.join(f'`{key}`' for key in held)}"
            raise RecordError("other modality", law)


def image_of(row: dict[str, Any], parts: list[Any]) -> str | None:
    """Find the path of the image that a record is about; None for text.

    Args:
        row: the record.
        parts: what the parts of its messages name.

    Raises:
        RecordError: several images, or one that is not a path below the image folder.
    """
    image = _paths(row.get("image"), "`image`")
    if not parts and row.get("images") is None and len(image) < 2:
        return image[0] if image else None
    places = [image, _paths(row.get("images"), "`images`"), _paths(parts, "a part of a message")]
    named = [paths for paths in places if paths]
    if not named:
        return None
    if any(paths != named[0] for paths in named[1:]):
        raise RecordError("several images", "a record must have at most one image, but its fields name different ones")
    if len(named[0]) > 1:
        law = f"a record must have at most one image, but this has a list of {len(named[0])} images"
        raise RecordError("several images", law)
    return named[0][0]


def check_no_image(unread: dict[str, Any]) -> None:
    """Check that fields that are not read name no image, where a record has none. Raises RecordError."""
    for key, value in unread.items():
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, dict):
            first = next((first[name] for name in ("path", "url") if first.get(name)), None)
        if not isinstance(first, str):
            continue
        end = first[-5:].lower() if "?" not in first else first.partition("?")[0][-5:].lower()
        if end.endswith(_SUFFIXES) and " " not in first.strip():
            law = f"the image of a record must be named in `image` or `images`, but {key!r} is {first!r}"
            raise RecordError("form", law)


def _paths(value: Any, what: str) -> list[str]:
    """List the paths of a field: one, a list of them, or objects that have one as `path`."""
    if value is None:
        return []
    if isinstance(value, str):
        return [_checked(value, what)]
    if isinstance(value, list):
        return [_one(item, what) for item in value]
    return [_one(value, what)]


def _one(value: Any, what: str) -> str:
    if isinstance(value, dict):
        if value.get("bytes") is not None or value.get("path") is None:
            law = f"{what} must be a path, but is an object with {', '.join(value) or 'nothing'}"
            raise RecordError("image path", law)
        value = value["path"]
    if not isinstance(value, str):
        raise RecordError("image path", f"{what} must be text, but is {type_name(value)}")
    return _checked(value, what)


def _checked(key: str, what: str) -> str:
    text_of(key, what)
    if ":" in key and key.startswith(("data:", "http://", "https://", "s3://", "gs://", "file://")):
        law = f"{what} must be a file, but is an address: {key[:60]!r}"
        raise RecordError("image path", law, "Save the images as files, and write their paths.")
    if not key.strip() or "\x00" in key or key[0] == "/" or key[1:3] == ":\\" or ".." in key.split("/"):
        raise RecordError("image path", f"{what} must be a path inside of the image folder, but got {key!r}", _WAY_OUT)
    return key
