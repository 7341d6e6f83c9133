"""The forms of manifests, by name. To add one: a module with its function, and a name and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, assert_never

from cluster.fit import NodeResources
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


def nodes_at_start(form: ManifestForm, profile: Profile) -> tuple[NodeResources, ...]:
    """List the nodes that a run finds when it starts: an allocation has all that may come, an autoscaler the fewest.

    Args:
        form: of the manifest.
        profile: of the cluster.
    """
    match form:
        case "sbatch":
            return profile.most_nodes
        case "rayjob":
            kubernetes = profile.kubernetes
            is_whole = kubernetes is not None and kubernetes.queue is not None and kubernetes.cluster is None
            return profile.most_nodes if is_whole else profile.fewest_nodes
        case "ray-up":
            return profile.fewest_nodes
        case _:
            assert_never(form)
