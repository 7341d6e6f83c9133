"""Define what a name is that becomes part of a path: the one rule for all that a file or a command line may call so.

A name of this form is the same file on every file system, is no option to a command, and cannot lead out of a folder.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from search_spaces.errors import InputError

LONGEST = 80
"""Characters of a name: with an ending, and aside, it stays below the 255 bytes of file systems."""

_FORM = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Files that Windows and its shares keep for devices, whatever their ending."""


LONGEST_PART = 200
"""Characters of one part of a path on storage: ids of trials are longer than the names in them."""

PART_FORM = r"(?:[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*|\*)"
"""Regular expression of one part of a path on storage, or of what stands for it in a pattern of paths."""

_PART = re.compile(PART_FORM)
_OUTSIDE = re.compile(r"(^|/)\.\.?(/|$)|^/|//|\0")


def is_slug(name: str) -> bool:
    """Check whether a name may become part of a path."""
    is_formed = len(name) <= LONGEST and re.fullmatch(_FORM, name) is not None
    return is_formed and not name.endswith(".") and _RESERVED.fullmatch(name) is None


def slug_law(name: str) -> str:
    """Say what a name must be, and what it is."""
    shown = ascii(name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}...")
    if _RESERVED.fullmatch(name):
        return f"a name must not be one that Windows keeps for a device, but got {shown}"
    return (
        f"a name must have 1 to {LONGEST} of A-Z a-z 0-9 . _ + -, begin with a letter or digit and not end with a full"
        f" stop, but got {shown}"
    )


def slug_of(text: str) -> str:
    """Make a name of any text; different texts may get one name."""
    name = re.sub(r"[^A-Za-z0-9._+-]+", "-", text).strip("-._+")[:LONGEST].rstrip(".")
    return name if is_slug(name) else f"data-{name}"[:LONGEST].rstrip("-.")


def _checked(name: str) -> str:
    if not is_slug(name):
        raise ValueError(slug_law(name))
    return name


Slug = Annotated[
    str, AfterValidator(_checked), WithJsonSchema({"type": "string", "pattern": f"^{_FORM}$", "maxLength": LONGEST})
]
"""Name that becomes part of a path."""


@lru_cache(maxsize=4096)  # files of thousands of trials go by the same few names
def is_part(name: str) -> bool:
    """Check whether a name may stand between two slashes of a path on storage."""
    return len(name) <= LONGEST_PART and _PART.fullmatch(name) is not None


def part(name: str) -> str:
    """Return a name that stands between two slashes of a path, or `*` of a pattern of paths.

    Raises InputError for a name that could stand for more.
    """
    if not is_part(name):
        raise InputError(f"a name on storage must be one part of a path, but got {name[:LONGEST_PART]!a}")
    return name


def is_inside(name: str) -> bool:
    """Check whether a name is that of a file below a folder; the empty one and `.` stand for the folder."""
    is_plain = not name.startswith((".", "/")) and "/." not in name and "//" not in name and "\0" not in name
    return is_plain or name == "." or _OUTSIDE.search(name) is None  # the search takes ten times as long


def inside(name: str) -> str:
    """Return the name of a file below a folder. Raises InputError for one that leads elsewhere."""
    if not is_inside(name):
        shown = ascii(name[:LONGEST_PART])
        raise InputError(f"a name must lie below its folder, without `.` and `..`, but got {shown}")
    return name
