"""The forms of manifests, by name. To add one: a module with its function, and a name and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from cluster.manifests.ray_up import ray_up
from cluster.manifests.rayjob import rayjob
from cluster.manifests.sbatch import sbatch
from cluster.manifests.study_job import StudyJob
from cluster.profile import Profile

ManifestForm = Literal["rayjob", "sbatch", "ray-up"]

FORMS: Mapping[ManifestForm, Callable[[StudyJob, Profile], str]] = {
    "rayjob": rayjob,
    "sbatch": sbatch,
    "ray-up": ray_up,
}
"""Name of a form -> what writes it."""
