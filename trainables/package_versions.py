"""Say which versions of the packages that matter are installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

STAGE_PACKAGES = ("torch", "deepspeed", "transformers", "timm")
"""Packages that may change the weights of a stage: part of its provenance."""

WORKER_PACKAGES = ("torch", "deepspeed", "transformers", "timm", "ray", "mlflow", "pyarrow", "pillow", "numpy")
"""Packages recorded with every trial, as installed where it runs."""

DRIVER_PACKAGES = ("ablate-vlm", "torch", "deepspeed", "ray", "transformers", "timm", "mlflow", "numpy", "pyarrow")
"""Packages recorded with every study, as installed where it is driven."""


def installed_versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the version of each package, in the order given; `not installed` for one that is not there."""
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
