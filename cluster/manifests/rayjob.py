"""Write a study as a RayJob of KubeRay: with a cluster of its own, on one that is there, or in a queue of Kueue."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from cluster.deployment import Kubernetes
from cluster.manifests.study_job import StudyJob, as_block, ray_version, yaml_text
from cluster.profile import Head, NodeKind, Profile
from search_spaces.errors import InputError

LONGEST_NAME = 47
"""Characters that KubeRay allows a RayJob's name (`MaxRayJobNameLength`, KubeRay 1.5)."""

STUDY_FOLDER = "/etc/ablate"
STUDY_FILE = f"{STUDY_FOLDER}/study.yaml"

IDLE_S = 120
"""Seconds after which the autoscaler gives back a node without work."""

_USER = 1000
"""User and group of the image; what a pod writes on the volume is of this group."""

_Object = dict[str, Any]


def rayjob(job: StudyJob, profile: Profile) -> str:
    """Write the manifest of a study: the study's file as a ConfigMap, and a RayJob.

    Raises:
        InputError: if the profile has no `kubernetes`, the storage is not on the profile's claim, or the study is no
            file that the cluster that is there has.
    """
    kubernetes = profile.kubernetes
    if kubernetes is None:
        raise InputError("must be in the profile for --render rayjob", key="kubernetes", place=profile.name)
    if kubernetes.cluster is not None:
        objects = [_on_existing(job, kubernetes, kubernetes.cluster)]
    else:
        _refuse_storage_off_the_claim(job, profile)
        objects = [_study_file(job, kubernetes), _with_own_cluster(job, profile, kubernetes)]
    return yaml_text(
        job.command, "kubectl apply -f FILE; to go on after it has ended, delete the RayJob first", objects
    )


def _refuse_storage_off_the_claim(job: StudyJob, profile: Profile) -> None:
    """Refuse a storage that is not in the volume: a pod would keep it in its own file system, gone with the pod.

    Raises:
        InputError: if it is neither the profile's `storage` nor below it.
    """
    assert profile.storage is not None  # a profile with `kubernetes` has one
    if not PurePosixPath(posixpath.normpath(job.storage)).is_relative_to(posixpath.normpath(profile.storage)):
        raise InputError(
            f"must be {profile.storage}, where pods mount the volume, or below it, but got {job.storage}",
            key="--storage",
            way_out=f"Change `storage` of the profile {profile.name} to mount the volume elsewhere.",
        )


def _metadata(job: StudyJob, kubernetes: Kubernetes) -> _Object:
    return {"name": job.label(LONGEST_NAME), "namespace": kubernetes.namespace}


def _study_file(job: StudyJob, kubernetes: Kubernetes) -> _Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(job, kubernetes),
        "data": {"study.yaml": as_block(job.text)},
    }


def _entrypoint(study: str, options: Sequence[str]) -> str:
    return shlex.join(["python", "-m", "orchestrator", "run", study, *options])


def _on_existing(job: StudyJob, kubernetes: Kubernetes, cluster: str) -> _Object:
    """Write a job for a cluster whose pods are not ours to change, so that no file can be mounted there."""
    if job.shipped_as is None:
        raise InputError(
            "must be a study that comes with the program, as the pods of a cluster that is there have no other,"
            f" but got {job.study!r}",
            key="STUDY",
            way_out=f"kubectl port-forward service/{cluster}-head-svc 8265, and ablate submit STUDY --address"
            " http://127.0.0.1:8265 sends the file.",
        )
    overrides = [word for override in job.overrides for word in ("--set", override)]
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": _metadata(job, kubernetes),
        "spec": {
            "entrypoint": _entrypoint(job.shipped_as, [*overrides, *job.options]),
            "clusterSelector": {"ray.io/cluster": cluster},
            "submissionMode": "K8sJobMode",
            "shutdownAfterJobFinishes": False,
        },
    }


def _with_own_cluster(job: StudyJob, profile: Profile, kubernetes: Kubernetes) -> _Object:
    metadata = _metadata(job, kubernetes)
    in_queue = kubernetes.queue is not None
    if in_queue:
        metadata["labels"] = {"kueue.x-k8s.io/queue-name": kubernetes.queue}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": metadata,
        "spec": {
            "entrypoint": _entrypoint(STUDY_FILE, job.options),
            "submissionMode": "K8sJobMode",
            **({"suspend": True} if in_queue else {}),  # Kueue lets it begin
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": 600,
            "backoffLimit": kubernetes.tries,
            "rayClusterSpec": _cluster(job, profile, kubernetes),
        },
    }


def _cluster(job: StudyJob, profile: Profile, kubernetes: Kubernetes) -> _Object:
    assert profile.head is not None  # a profile with `kubernetes` has one
    token = {"secretName": kubernetes.token_secret} if kubernetes.token_secret else {}
    scales = profile.grows and kubernetes.queue is None
    autoscaler = {"version": "v2", "upscalingMode": "Default", "idleTimeoutSeconds": IDLE_S}
    return {
        "rayVersion": ray_version(),
        "authOptions": {"mode": "token", **token},
        "enableInTreeAutoscaling": scales,
        **({"autoscalerOptions": autoscaler} if scales else {}),
        "headGroupSpec": {
            "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},
            "template": _pod("ray-head", _of_head(profile.head), job, profile, kubernetes),
        },
        "workerGroupSpecs": [_group(kind, job, profile, kubernetes, scales) for kind in profile.nodes],
    }


def _group(kind: NodeKind, job: StudyJob, profile: Profile, kubernetes: Kubernetes, scales: bool) -> _Object:
    pod = _pod("ray-worker", _of_node(kind), job, profile, kubernetes)
    least = kind.min if scales else kind.max
    return {
        "groupName": kind.name,
        "replicas": least,
        "minReplicas": least,
        "maxReplicas": kind.max,
        "rayStartParams": {},
        **({"labels": kind.all_labels} if scales or kind.labels else {}),  # KubeRay 1.5: Ray's, known before pods are
        "template": {"spec": {**pod["spec"], **_place(kind, kubernetes)}},
    }


def _place(kind: NodeKind, kubernetes: Kubernetes) -> _Object:
    """Say which nodes of Kubernetes a pod may be on; those with GPUs often refuse pods that do not tolerate it."""
    selector = kubernetes.selectors.get(kind.name)
    tolerated = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}] if kind.gpus else []
    return {
        **({"nodeSelector": dict(selector)} if selector else {}),
        **({"tolerations": tolerated} if tolerated else {}),
    }


def _of_head(head: Head) -> Mapping[str, str]:
    return {"cpu": str(head.cpus), "memory": f"{head.memory_gb:g}G"}


def _of_node(kind: NodeKind) -> Mapping[str, str]:
    gpus = {"nvidia.com/gpu": str(kind.gpus)} if kind.gpus else {}
    return {"cpu": str(kind.cpus), "memory": f"{kind.memory_bytes / 1e9:g}G", **gpus}


def _pod(name: str, resources: Mapping[str, str], job: StudyJob, profile: Profile, kubernetes: Kubernetes) -> _Object:
    """Write a pod of one container. Its /dev/shm is KubeRay's own: a volume in memory of the size of the request."""
    secret = kubernetes.environment_secret
    container: _Object = {
        "name": name,
        "image": kubernetes.image,
        **({"envFrom": [{"secretRef": {"name": secret}}]} if secret else {}),
        "resources": {"requests": dict(resources), "limits": dict(resources)},
        "volumeMounts": [
            {"name": "storage", "mountPath": profile.storage},
            {"name": "study", "mountPath": STUDY_FOLDER, "readOnly": True},
        ],
    }
    return {
        "spec": {
            "restartPolicy": "Never",
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "fsGroup": _USER,
                "fsGroupChangePolicy": "OnRootMismatch",  # else each pod visits every file
            },
            "containers": [container],
            "volumes": [
                {"name": "storage", "persistentVolumeClaim": {"claimName": kubernetes.claim}},
                {"name": "study", "configMap": {"name": job.label(LONGEST_NAME)}},
            ],
        }
    }
