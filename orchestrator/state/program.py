"""Fingerprint the program that runs: what it remembers of itself holds for the same program only."""

from __future__ import annotations

import hashlib
from functools import cache

from cluster.connect import PACKAGES, package_folder
from search_spaces.identity import fingerprint
from trainables.package_versions import WORKER_PACKAGES, installed_versions


@cache
def program_fingerprint() -> str:
    """Fingerprint this program's source files and the versions of the packages that its workers need."""
    content = hashlib.sha256()
    for package in PACKAGES:
        for file in sorted(package_folder(package).rglob("*.py")):
            content.update(file.read_bytes())
    return fingerprint({"source": content.hexdigest(), "packages": installed_versions(WORKER_PACKAGES)})
