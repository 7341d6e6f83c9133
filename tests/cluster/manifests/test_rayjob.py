"""RayJobs have the fields of KubeRay, the study and its options, and no secret."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import _get_labels_from_group_spec

from cluster.profile import load_profile
from search_spaces.errors import InputError
from search_spaces.node_labels import ACCELERATOR_LABEL
from tests.support.manifests import documents, render, schema, try_render

KUBERAY = Path(__file__).parents[3] / "cluster" / "kuberay"
PROFILES = Path(__file__).parents[3] / "cluster" / "profiles"


def _own(tmp_path: Path, of: str = "kuberay", **kubernetes: object) -> str:
    """Write a profile with other settings of Kubernetes than a shipped one."""
    written = yaml.safe_load((PROFILES / f"{of}.yaml").read_text())
    written["kubernetes"] |= kubernetes
    file = tmp_path / "ours.yaml"
    file.write_text(yaml.safe_dump(written))
    return str(file)


def _job(text: str) -> dict[str, Any]:
    (job,) = (each for each in documents(text) if each["kind"] == "RayJob")
    jsonschema.validate(job, schema("rayjob"))
    spec: dict[str, Any] = job["spec"]
    return spec


def _pods(spec: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = spec["rayClusterSpec"]
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def test_a_job_brings_the_nodes_of_the_profile_and_may_be_tried_again() -> None:
    spec = _job(render("rayjob", "kuberay"))
    cluster, (group,) = spec["rayClusterSpec"], spec["rayClusterSpec"]["workerGroupSpecs"]
    assert (group["replicas"], group["maxReplicas"], cluster["enableInTreeAutoscaling"]) == (4, 4, False)
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["authOptions"] == {"mode": "token"}
    assert (spec["backoffLimit"], spec["shutdownAfterJobFinishes"]) == (3, True)


def test_nodes_that_may_come_are_left_to_the_autoscaler(tmp_path: Path) -> None:
    written = yaml.safe_load((PROFILES / "kuberay.yaml").read_text())
    written["nodes"]["h100"]["min"] = 1
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(written))
    spec = _job(render("rayjob", str(tmp_path / "ours.yaml")))
    cluster, (group,) = spec["rayClusterSpec"], spec["rayClusterSpec"]["workerGroupSpecs"]
    assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == (1, 1, 4)
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["autoscalerOptions"]["version"] == "v2"


def test_the_study_is_a_file_in_every_pod_beside_the_storage(tmp_path: Path) -> None:
    study = tmp_path / "below.yaml"
    study.write_text("extends: quickstart\nstudy: below\n")
    text = render("rayjob", "kuberay", "--set", "seeds=[4]", "--toy", "--limit", "3", study=str(study))
    spec, (config, _) = _job(text), documents(text)
    entrypoint = shlex.split(spec["entrypoint"])
    assert entrypoint[:5] == ["python", "-m", "orchestrator", "run", "/etc/ablate/study.yaml"]
    assert sorted(entrypoint[5:]) == sorted(["--storage", "/shared/ablate", "--limit", "3", "--toy"])
    written = yaml.safe_load(config["data"]["study.yaml"])
    assert (written["study"], written["seeds"]["default"]) == ("below", [4])
    for pod in _pods(spec):
        (container,) = pod["containers"]
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/shared/ablate", "/etc/ablate"}
        sources = {name: volume for volume in pod["volumes"] for name in volume if name != "name"}
        assert sources["configMap"]["configMap"]["name"] == config["metadata"]["name"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def test_the_volume_is_mounted_where_the_profile_says_and_the_storage_is_within(tmp_path: Path) -> None:
    spec = _job(render("rayjob", "kuberay", "--storage", "/shared/ablate/team-a"))
    assert "--storage /shared/ablate/team-a" in spec["entrypoint"]
    for pod in _pods(spec):
        mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
        assert mounts["storage"] == "/shared/ablate"


@pytest.mark.parametrize("storage", ["/elsewhere", "/shared", "/shared/ablate-2", "/shared/ablate/../ablate-2"])
def test_a_storage_that_is_not_on_the_volume_is_refused(storage: str) -> None:
    error = str(try_render("rayjob", "kuberay", "--storage", storage).exception)
    assert "--storage: must be /shared/ablate, where pods mount the volume, or below it" in error


def test_a_toy_form_is_an_object_of_its_own() -> None:
    """Else `kubectl apply` of one would change the job of the other."""
    for options, name in ([], "ablate-quickstart"), (["--toy"], "ablate-quickstart-toy"):
        written = documents(render("rayjob", "kuberay", *options))
        assert [each["metadata"]["name"] for each in written] == [name, name]


def test_a_job_in_a_queue_asks_for_all_of_its_nodes_at_once() -> None:
    text = render("rayjob", "kuberay-kueue")
    spec = _job(text)
    (group,) = spec["rayClusterSpec"]["workerGroupSpecs"]
    assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == (2, 2, 2)
    assert (spec["suspend"], spec["rayClusterSpec"]["enableInTreeAutoscaling"]) == (True, False)
    assert documents(text)[1]["metadata"]["labels"] == {"kueue.x-k8s.io/queue-name": "ablate"}


def test_the_shipped_queue_has_room_for_the_job_of_its_profile() -> None:
    _, queue, local = documents((KUBERAY / "queue.yaml").read_text())
    for each in documents((KUBERAY / "queue.yaml").read_text()):
        jsonschema.validate(each, schema("kueue"))
    (flavor,) = queue["spec"]["resourceGroups"][0]["flavors"]
    quota = {each["name"]: float(str(each["nominalQuota"]).rstrip("G")) for each in flavor["resources"]}
    profile = load_profile("kuberay-kueue")
    assert profile.head is not None
    assert profile.kubernetes is not None
    assert local["metadata"]["name"] == profile.kubernetes.queue
    assert quota["nvidia.com/gpu"] == sum(node.gpus for node in profile.most_nodes)
    assert quota["cpu"] >= sum(node.cpus for node in profile.most_nodes) + profile.head.cpus + 0.5
    memory_gb = sum(kind.max * kind.memory_bytes for kind in profile.nodes) / 1e9 + profile.head.memory_gb
    assert quota["memory"] >= memory_gb


def test_the_shipped_claim_is_that_of_the_profile() -> None:
    (claim,) = documents((KUBERAY / "volume.yaml").read_text())
    kubernetes = load_profile("kuberay").kubernetes
    assert kubernetes is not None
    assert claim["metadata"] == {"name": kubernetes.claim, "namespace": kubernetes.namespace}
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_a_job_on_a_cluster_that_is_there_names_the_study_and_its_overrides() -> None:
    spec = _job(render("rayjob", "kuberay-existing", "--set", "seeds=[4]"))
    assert spec["clusterSelector"] == {"ray.io/cluster": "shared"}
    assert "rayClusterSpec" not in spec
    assert shlex.split(spec["entrypoint"])[4:] == ["quickstart", "--set", "seeds=[4]", "--storage", "/shared/ablate"]


def test_a_file_of_ones_own_is_not_on_a_cluster_that_is_there(tmp_path: Path) -> None:
    study = tmp_path / "below.yaml"
    study.write_text("extends: quickstart\nstudy: below\n")
    error = try_render("rayjob", "kuberay-existing", study=str(study)).exception
    assert isinstance(error, InputError)
    assert "ablate submit STUDY --address" in str(error)


def test_secrets_are_named_and_never_written(tmp_path: Path) -> None:
    profile = _own(tmp_path, token_secret="ray-token", environment_secret="mlflow")
    spec = _job(render("rayjob", profile))
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token", "secretName": "ray-token"}
    assert [pod["containers"][0]["envFrom"] for pod in _pods(spec)] == [[{"secretRef": {"name": "mlflow"}}]] * 2


def test_nodes_are_chosen_by_labels_and_gpus_are_tolerated(tmp_path: Path) -> None:
    labels = {"h100": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}}
    _, worker = _pods(_job(render("rayjob", _own(tmp_path, selectors=labels))))
    assert worker["nodeSelector"] == labels["h100"]
    assert [taint["key"] for taint in worker["tolerations"]] == ["nvidia.com/gpu"]


@pytest.mark.parametrize(
    ("settings", "law"),
    [
        ({"selectors": {"h10": {}}}, "must be of kinds of `nodes`, h100, but h10 is none"),
        ({"image": "a b"}, "kubernetes.image: must be one word"),
        ({"claim": "x; rm"}, "kubernetes.claim: must be one word"),
        ({"token": "abc"}, "must be one of image, claim, namespace"),
    ],
)
def test_settings_of_kubernetes_that_cannot_be_are_refused(
    tmp_path: Path, settings: dict[str, object], law: str
) -> None:
    assert law in str(try_render("rayjob", _own(tmp_path, **settings)).exception)


def test_a_profile_of_another_way_is_refused() -> None:
    assert "kubernetes: must be in the profile" in str(try_render("rayjob", "slurm").exception)


def test_ray_is_started_with_the_labels_of_the_profile(tmp_path: Path) -> None:
    written = yaml.safe_load((PROFILES / "kuberay.yaml").read_text())
    written["nodes"]["h100"]["labels"] = {"market": "spot", "rack": "7"}
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(written))
    (group,) = _job(render("rayjob", str(tmp_path / "ours.yaml")))["rayClusterSpec"]["workerGroupSpecs"]
    labels = {ACCELERATOR_LABEL: "H100", "market": "spot", "rack": "7"}
    assert group["labels"] == labels
    assert _get_labels_from_group_spec(group) == labels, "Ray's autoscaler knows them before a pod is there"
