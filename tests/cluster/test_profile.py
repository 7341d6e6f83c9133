"""Profiles of clusters are read into frozen types, and what is wrong with one is said all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.fit import usable_cpus, visible_gpus
from cluster.profile import load_profile, shipped_profiles
from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError
from search_spaces.node_labels import ACCELERATOR_LABEL

OWN = """\
about: ours
head: {cpus: 4, memory_gb: 16, price: null}
nodes:
  big:
    min: 1
    max: 3
    cpus: 64
    gpus: 8
    gpu: h100
    memory_gb: 1000
    price: {per_hour: 20.5, currency: EUR, source: our computing centre, date: 2026-01-31}
  small: {max: 2, cpus: 32, memory_gb: 128, price: null}
interconnect: {name: Ethernet, gbit_s: 100}
storage: /shared/ablate
"""


def _written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "ours.yaml"
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize("name", shipped_profiles())
def test_every_shipped_profile_is_read_and_names_known_gpus(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.most_nodes
    assert {kind.gpu for kind in profile.nodes} <= {None, *shipped().gpus}


def test_the_shipped_profiles_are_those_of_the_documents() -> None:
    assert shipped_profiles() == (
        "aws",
        "kuberay",
        "kuberay-existing",
        "kuberay-kueue",
        "local",
        "on-premise",
        "one-node-8gpu",
        "slurm",
    )


def test_a_profile_of_ones_own_says_which_nodes_are_there_and_which_may_come(tmp_path: Path) -> None:
    profile = load_profile(_written(tmp_path, OWN))
    assert profile.grows
    assert [(node.name, node.cpus, node.gpus) for node in profile.most_nodes] == [
        ("big-1", 64, 8),
        ("big-2", 64, 8),
        ("big-3", 64, 8),
        ("small-1", 32, 0),
        ("small-2", 32, 0),
    ]
    big, small = profile.nodes
    assert big.price is not None
    assert (big.price.per_hour, big.price.currency, big.price.date) == (20.5, "EUR", "2026-01-31")
    assert (big.memory_bytes, small.price, profile.storage) == (10**12, None, "/shared/ablate")


def test_the_local_profile_is_what_this_machine_has() -> None:
    (kind,) = load_profile("local").nodes
    assert (kind.cpus, kind.gpus, kind.min, kind.max) == (usable_cpus(), visible_gpus(), 1, 1)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("gpu: h100", "gpu: h10", "ours.yaml:9: nodes.big.gpu: must be one of h100-pcie"),
        ("gpu: h100", "gpu: h10", "Did you mean 'h100'?"),
        ("    gpu: h100\n", "", "nodes.big.gpu: must be given for 8 GPUs"),
        ("    gpus: 8\n", "", "nodes.big.gpu: must be left out where there are no GPUs, but got 'h100'"),
        ("min: 1", "min: 4", "ours.yaml:5: nodes.big.min: must be at most `max`, 3, but got 4"),
        ("cpus: 64", "cpus: auto", "nodes.big.max: must be 1 where something is `auto`"),
        ("max: 3", "max: 20000", "nodes: must have at most 10,000 nodes in all, but has 20,002"),
        ("/shared/ablate", "shared/ablate", "storage: must be an absolute path that every node sees"),
        ("currency: EUR", "currency: euros", "ours.yaml:11: nodes.big.price.currency: must be three letters"),
        ("date: 2026-01-31", "date: 2026-02-31", "nodes.big.price.date: must be a day, such as 2026-01-31"),
        ("memory_gb: 128, price: null", "memory_gb: 128", "nodes.small.price: must be given"),
        ("interconnect:", "network:", "must be one of about, head, nodes, interconnect, storage, kubernetes"),
        (
            "memory_gb: 16, price: null",
            "memory_gb: 16, price: {per_hour: 1, currency: USD, source: s, date: 2026-01-31}",
            "nodes: must have prices in one currency, but has EUR and USD",
        ),
    ],
)
def test_what_is_wrong_with_a_profile_is_said_with_place_and_value(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    assert old in OWN
    with pytest.raises(InputError) as raised:
        load_profile(_written(tmp_path, OWN.replace(old, new, 1)))
    assert error in str(raised.value)


def test_all_problems_of_a_profile_are_said_together(tmp_path: Path) -> None:
    text = OWN.replace("min: 1", "min: 4").replace("gpu: h100", "gpu: h10")
    with pytest.raises(InputError) as raised:
        load_profile(_written(tmp_path, text))
    assert len(raised.value.problems) == 2  # type: ignore[attr-defined]


def test_a_profile_that_is_not_there_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="Did you mean 'kuberay'"):
        load_profile("kuberey")


def test_nodes_of_a_profile_have_the_kind_of_their_gpus_and_labels_of_ones_own(tmp_path: Path) -> None:
    profile = load_profile(_written(tmp_path, OWN.replace("gpus: 8", "gpus: 8\n    labels: {market: spot}")))
    assert profile.most_nodes[0].labels == {ACCELERATOR_LABEL: "H100", "market": "spot"}
    assert profile.most_nodes[-1].labels == {}
    with pytest.raises(InputError, match=r"must not begin with ray\.io/"):
        load_profile(_written(tmp_path, OWN.replace("gpus: 8", "gpus: 8\n    labels: {ray.io/rack: a}")))
