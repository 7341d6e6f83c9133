"""Write a cluster for `ray up`: on Amazon EC2, or on a list of machines. A study is then sent with `ablate submit`."""

from __future__ import annotations

from typing import Any

from cluster.demand import write_may_come
from cluster.deployment import Aws, OnPremise
from cluster.manifests.study_job import StudyJob, yaml_text
from cluster.profile import NodeKind, Profile
from search_spaces.errors import InputError

TOKEN_FILE = "~/.ray/auth_token"
"""Where Ray looks for the token of a cluster, on this machine as on each of the cluster's."""

IDLE_MINUTES = 5
"""Time after which a node without work is given back."""

_HOME = "/home/ablate"
"""Of the image's user."""
_PORT = 6379
_STOP = "ray stop"  # of the container: `ray up` on a cluster that is there starts Ray again
_BEGIN = "export RAY_AUTH_MODE=token; ulimit -n 65536;"
_START_HEAD = f"{_BEGIN} ray start --head --port={_PORT} --autoscaling-config=~/ray_bootstrap_config.yaml"
_START_WORKER = f"{_BEGIN} ray start --address=$RAY_HEAD_IP:{_PORT}"

_Object = dict[str, Any]


def ray_up(job: StudyJob, profile: Profile) -> str:
    """Write the file of a cluster for `ray up`. It says nothing of the study, which must fit there.

    Raises:
        InputError: if the profile has neither `aws` nor `on_premise`, or both.
    """
    match profile.aws, profile.on_premise:
        case Aws() as aws, None:
            cluster, image = _on_aws(profile, aws), aws.image
        case None, OnPremise() as machines:
            cluster, image = _on_premise(machines), machines.image
        case _:
            law = "must have one of `aws` and `on_premise` for --render ray-up"
            raise InputError(law, place=profile.name, key="--profile")
    nodes = min(kind.memory_bytes for kind in profile.nodes)
    whole = {
        "cluster_name": profile.name,
        **cluster,
        "docker": {
            "image": image,
            "container_name": "ablate",
            "pull_before_run": True,
            "run_options": ["--ulimit nofile=65536:65536", f"--volume {job.storage}:{job.storage}"],
            "head_run_options": [_shared_memory(profile.head.memory_gb * 1e9 if profile.head else nodes)],
            "worker_run_options": [_shared_memory(nodes)],
        },
        "file_mounts": {f"{_HOME}/.ray/auth_token": TOKEN_FILE},
        "setup_commands": [],  # the image has everything; Ray's default would install a nightly build
        "head_setup_commands": [],
        "worker_setup_commands": [],
        "head_start_ray_commands": [_STOP, _START_HEAD],
        "worker_start_ray_commands": [_STOP, _START_WORKER],
    }
    may_come = f" --may-come {write_may_come(profile.most_nodes)}" if profile.grows else ""
    return yaml_text(
        job.command,
        f"ray up FILE; ray dashboard FILE; then ablate submit STUDY --address http://127.0.0.1:8265{may_come}",
        [whole],
    )


def _shared_memory(memory_bytes: float) -> str:
    """Size /dev/shm for Ray's object store, 30 % of the memory by default, and for NCCL."""
    return f"--shm-size={round(memory_bytes * 0.35 / 1e9)}g"


def _on_aws(profile: Profile, aws: Aws) -> _Object:
    head = {"node_config": {"InstanceType": aws.head_type}, "resources": {"CPU": 0}, "max_workers": 0}
    kinds = {kind.name: _node_type(kind, aws.node_types[kind.name]) for kind in profile.nodes}
    return {
        "max_workers": sum(kind.max for kind in profile.nodes),
        "idle_timeout_minutes": IDLE_MINUTES,
        "provider": {"type": "aws", "region": aws.region},
        "auth": {"ssh_user": "ubuntu"},
        "available_node_types": {"head": head, **kinds},
        "head_node_type": "head",
        "initialization_commands": list(aws.prepare),
    }


def _node_type(kind: NodeKind, instance_type: str) -> _Object:
    return {
        "node_config": {"InstanceType": instance_type},
        "resources": {"CPU": kind.cpus, **({"GPU": kind.gpus} if kind.gpus else {})},
        **({"labels": kind.all_labels} if kind.all_labels else {}),  # known before a node is there
        "min_workers": kind.min,
        "max_workers": kind.max,
    }


def _on_premise(machines: OnPremise) -> _Object:
    return {
        "max_workers": len(machines.workers),
        "provider": {"type": "local", "head_ip": machines.head, "worker_ips": list(machines.workers)},
        "auth": {"ssh_user": machines.user, "ssh_private_key": machines.key},
        "initialization_commands": [],
    }
