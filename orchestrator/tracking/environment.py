"""Describe where a study is driven: its storage and the packages installed."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import re
import secrets
import sys
from functools import cache
from pathlib import Path

import filelock

from search_spaces.errors import InputError
from trainables.package_versions import DRIVER_PACKAGES, installed_versions
from trainables.storage import layout, tracked_names
from trainables.storage.store import LocalStore

logger = logging.getLogger(__name__)


def storage_id(storage: Path) -> str:
    """Return a short name of this storage, made once; a copy of the storage keeps it.

    It is kept twice, the second time with a checksum: one that is damaged or gone is written again, with a warning.

    Raises:
        InputError: both are damaged or gone, though servers may know this storage by the name.
    """
    store = LocalStore(storage)
    with store.working_folder(layout.TRACKING) as folder, filelock.FileLock(folder / "storage-id.lock"):
        files = {name: store.get(name) for name in (layout.STORAGE_ID, layout.STORAGE_ID_COPY) if store.exists(name)}
        own, copy = files.get(layout.STORAGE_ID, b"").strip(), files.get(layout.STORAGE_ID_COPY, b"")
        if re.fullmatch(rb"[0-9a-f]{8}", copy[:8]) and copy == _with_checksum(copy[:8]):
            known = copy[:8]
        elif re.fullmatch(rb"[0-9a-f]{8}", own):
            known = own
        elif files or store.list(layout.UPLOAD_OFFSETS):
            raise InputError(
                "must be the 8 hexadecimal digits that name this storage to tracking servers, but"
                f" {f'is {own[:20]!r}' if own else 'is lost'}",
                place=store.place(layout.STORAGE_ID),
                way_out=f"Write them into the file: servers show them as the tag {tracked_names.STORAGE} of each"
                f" study's experiment. Or remove {store.place(layout.TRACKING)}/storage-id* and"
                f" {store.place(layout.UPLOAD_OFFSETS)}: servers then take this for another storage and show its"
                " studies a second time.",
            )
        else:
            known = secrets.token_hex(4).encode()
        for name, found, whole in (
            (layout.STORAGE_ID, own, known),
            (layout.STORAGE_ID_COPY, copy, _with_checksum(known)),
        ):
            if found != whole:
                if name in files or (
                    files and name == layout.STORAGE_ID
                ):  # a storage of an earlier version has no copy
                    logger.warning("%s: must be what it was, but is not; it is written again", store.place(name))
                store.put(name, whole)
    return known.decode()


def _with_checksum(digits: bytes) -> bytes:
    return digits + b" " + hashlib.sha256(digits).hexdigest()[:8].encode()


@cache
def environment_json() -> str:
    """Write the versions installed where the study is driven; a worker's own file replaces it in its run."""
    python, packages = sys.version.split()[0], installed_versions(DRIVER_PACKAGES)
    return json.dumps({"python": python, "platform": platform.platform(), "packages": packages}, indent=1)
