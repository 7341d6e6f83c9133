"""Describe where a study is driven: its storage and the packages installed."""

from __future__ import annotations

import json
import platform
import secrets
import sys
from functools import cache
from pathlib import Path

import filelock

from trainables.package_versions import DRIVER_PACKAGES, installed_versions
from trainables.storage import layout
from trainables.storage.store import LocalStore


def storage_id(storage: Path) -> str:
    """A short name of this storage, made once; a copy of the storage keeps it."""
    store = LocalStore(storage)
    with filelock.FileLock(f"{store.path(layout.STORAGE_ID)}.lock"):
        if not store.exists(layout.STORAGE_ID):
            store.put(layout.STORAGE_ID, secrets.token_hex(4).encode())
        return store.get(layout.STORAGE_ID).decode().strip()


@cache
def environment_json() -> str:
    """Versions of what matters, as installed where the study is driven; a worker's own file replaces it in its run."""
    python, packages = sys.version.split()[0], installed_versions(DRIVER_PACKAGES)
    return json.dumps({"python": python, "platform": platform.platform(), "packages": packages}, indent=1)
