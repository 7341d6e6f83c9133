"""The forms of manifests, by name. To add one: a module with its function, and a name and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, assert_never

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


def grows(form: ManifestForm, profile: Profile) -> bool:
    """Check whether an autoscaler adds nodes while a run goes on. Slurm and Kueue grant all of them at once.

    Args:
        form: of the manifest.
        profile: of the cluster.
    """
    match form:
        case "sbatch":
            return False
        case "rayjob":
            return profile.grows and (profile.kubernetes is None or profile.kubernetes.queue is None)
        case "ray-up":
            return profile.grows
        case _:
            assert_never(form)
