"""Clusters of `ray up` are what Ray itself accepts, with the nodes of the profile and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler
import yaml

from cluster.profile import load_profile
from search_spaces.node_labels import ACCELERATOR_LABEL
from tests.support.manifests import documents, render, try_render

PROFILES = Path(__file__).parents[3] / "cluster" / "profiles"

SCHEMA = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())


def _cluster(profile: str) -> dict[str, Any]:
    (written,) = documents(render("ray-up", profile))
    return written


@pytest.mark.parametrize("profile", ["aws", "on-premise"])
def test_ray_accepts_the_cluster_as_it_is_and_with_its_own_defaults(profile: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    cluster = _cluster(profile)
    jsonschema.validate(cluster, SCHEMA)
    filled = prepare_config(cluster)
    validate_config(filled)
    assert filled["setup_commands"] == filled["head_setup_commands"] == filled["worker_setup_commands"] == []


def test_machines_of_ec2_come_and_go_between_the_bounds_of_the_profile() -> None:
    cluster, (kind,) = _cluster("aws"), load_profile("aws").nodes
    node = cluster["available_node_types"]["h100"]
    assert (node["min_workers"], node["max_workers"], cluster["max_workers"]) == (kind.min, kind.max, 4)
    assert node["resources"] == {"CPU": 192, "GPU": 8}
    assert cluster["available_node_types"]["head"]["resources"] == {"CPU": 0}


def test_the_token_is_a_file_and_the_storage_is_in_the_container() -> None:
    for profile in ("aws", "on-premise"):
        cluster = _cluster(profile)
        assert cluster["file_mounts"] == {"/home/ablate/.ray/auth_token": "~/.ray/auth_token"}
        assert all("RAY_AUTH_MODE=token" in cluster[f"{kind}_start_ray_commands"][-1] for kind in ("head", "worker"))
        assert "--volume /shared/ablate:/shared/ablate" in cluster["docker"]["run_options"]


@pytest.mark.parametrize("profile", ["slurm", "local"])
def test_a_profile_of_another_way_is_refused(profile: str) -> None:
    error = str(try_render("ray-up", profile, "--storage", "/s").exception)
    assert "must have one of `aws` and `on_premise`" in error


def test_nodes_are_started_with_the_labels_of_the_profile(tmp_path: Path) -> None:
    written = yaml.safe_load((PROFILES / "aws.yaml").read_text())
    written["nodes"]["h100"]["labels"] = {"market": "spot"}
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(written))
    cluster = _cluster(str(tmp_path / "ours.yaml"))
    jsonschema.validate(cluster, SCHEMA)
    assert cluster["available_node_types"]["h100"]["labels"] == {ACCELERATOR_LABEL: "H100", "market": "spot"}
    assert "labels" not in cluster["available_node_types"]["head"]
