"""Describe where a study is driven: its storage and the packages installed."""

from __future__ import annotations

import json
import platform
import re
import secrets
import sys
from functools import cache
from pathlib import Path

import filelock

from search_spaces.errors import InputError
from trainables.package_versions import DRIVER_PACKAGES, installed_versions
from trainables.storage import layout
from trainables.storage.store import LocalStore


def storage_id(storage: Path) -> str:
    """Return a short name of this storage, made once; a copy of the storage keeps it.

    Raises:
        InputError: the file that keeps it is damaged.
    """
    store = LocalStore(storage)
    with store.working_folder(layout.TRACKING) as folder, filelock.FileLock(folder / "storage-id.lock"):
        if not store.exists(layout.STORAGE_ID):
            store.put(layout.STORAGE_ID, secrets.token_hex(4).encode())
        stored = store.get(layout.STORAGE_ID)
    if not re.fullmatch(rb"[0-9a-f]{8}\s*", stored):
        raise InputError(
            f"must be the 8 hexadecimal digits that name this storage to tracking servers, but is {stored[:20]!r}",
            place=store.place(layout.STORAGE_ID),
            way_out="Put back what was there. Without the file, servers take this for another storage and show its"
            " studies a second time.",
        )
    return stored.decode().strip()


@cache
def environment_json() -> str:
    """Write the versions installed where the study is driven; a worker's own file replaces it in its run."""
    python, packages = sys.version.split()[0], installed_versions(DRIVER_PACKAGES)
    return json.dumps({"python": python, "platform": platform.platform(), "packages": packages}, indent=1)
