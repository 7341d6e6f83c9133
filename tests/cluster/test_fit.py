"""Trials are placed by what nodes have free, and asks that never fit are refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cluster.fit import (
    NodeResources,
    at_once,
    first_accelerator,
    fits_one_node,
    impossible,
    node_resources,
    place,
    refuse_impossible,
    refuse_unfit,
    share,
    visible_gpus,
)
from cluster.launcher import ResourceRequest
from search_spaces.errors import InputError
from search_spaces.node_labels import ACCELERATOR_LABEL

FOUR_GPUS = NodeResources("a", cpus=16, gpus=4)


def test_place_one_node_has_room_takes_the_tightest_one() -> None:
    assert place(ResourceRequest(2, 1, 1), [FOUR_GPUS, NodeResources("b", 16, 2)]) == (0, 2)


def test_place_no_node_has_room_for_all_spreads_over_as_few_as_possible() -> None:
    assert place(ResourceRequest(6, 1, 1), [NodeResources("a", 16, 1), FOUR_GPUS, NodeResources("c", 16, 3)]) == (
        0,
        4,
        2,
    )


def test_place_devices_are_short_although_cpus_are_not_is_none() -> None:
    assert place(ResourceRequest(5, 1, 1), [FOUR_GPUS]) is None


def test_place_on_one_node_waits_rather_than_put_workers_apart() -> None:
    half_free = [NodeResources("a", 16, 4), NodeResources("b", 16, 4)]
    gang = ResourceRequest(8, 1, 1)
    assert fits_one_node(gang, [NodeResources("a", 16, 8), NodeResources("b", 16, 8)])
    assert place(gang, half_free, on_one_node=True) is None
    assert place(gang, half_free) == (4, 4)
    assert not fits_one_node(ResourceRequest(16, 1, 1), [NodeResources("a", 16, 8), NodeResources("b", 16, 8)])


def test_place_takes_the_nodes_that_others_need_least_even_if_they_are_more() -> None:
    nodes = [NodeResources("a", 16, 8), NodeResources("b", 16, 4), NodeResources("c", 16, 4), NodeResources("d", 16, 1)]
    one, eight = ResourceRequest(1, 1, 1), ResourceRequest(8, 1, 1)
    assert place(one, nodes, needs=(0, 0, 0, 3)) == (0, 1, 0, 0)
    assert place(one, nodes, needs=(3, 2, 1, 3)) == (0, 0, 1, 0)
    assert place(eight, nodes, needs=(1, 0, 0, 0)) == (0, 4, 4, 0)
    assert place(eight, nodes, on_one_node=True, needs=(1, 0, 0, 0)) == (8, 0, 0, 0)
    assert place(ResourceRequest(18, 1, 1), nodes, needs=(1, 0, 0, 2)) is None


def test_place_takes_only_nodes_whose_labels_fit() -> None:
    old = NodeResources("a", 16, 8, labels={ACCELERATOR_LABEL: "A100", "market": "spot"})
    new = NodeResources("b", 16, 8, labels={ACCELERATOR_LABEL: "H100"})
    assert place(ResourceRequest(1, 1, 1, labels=((ACCELERATOR_LABEL, "H100"),)), [old, new]) == (0, 1)
    assert place(ResourceRequest(1, 1, 1, labels=(("market", "!spot"),)), [old, new]) == (0, 1)
    assert place(ResourceRequest(9, 1, 1, labels=(("market", "spot"),)), [old, new]) is None


def test_impossible_shows_the_labels_that_are_asked_for_and_those_that_nodes_have() -> None:
    asked = ResourceRequest(1, 1, 1, labels=((ACCELERATOR_LABEL, "H200"),))
    nodes = [NodeResources("a", 16, 8, labels={ACCELERATOR_LABEL: "A100"}), NodeResources("b", 4)]
    assert impossible({"base": asked}, nodes) == {
        "base": "asks for 1 worker x 1 CPU and 1 GPU on nodes with ray.io/accelerator-type H200, but the cluster has 2 "
        "nodes: 16 CPU and 8 GPU (ray.io/accelerator-type A100), 4 CPU (ray.io/accelerator-type none)"
    }


def test_node_resources_have_the_labels_that_ray_gives() -> None:
    (node,) = node_resources([{"NodeID": "a", "Alive": True, "Resources": {"CPU": 4.0}, "Labels": {"market": "spot"}}])
    assert node.labels == {"market": "spot"}


def test_first_accelerator_is_named_as_ray_names_it(tmp_path: Path) -> None:
    assert first_accelerator(tmp_path) is None
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0" / "information").write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:  \t 42\n")
    assert first_accelerator(tmp_path) == "H100"


@pytest.mark.parametrize(
    ("needs", "nodes", "expected"),
    [
        (ResourceRequest(1, 1), [NodeResources("a", 2)], 2),
        (ResourceRequest(2, 1), [NodeResources("a", 3)], 1),
        (ResourceRequest(2, 1), [NodeResources("a", 3), NodeResources("b", 3)], 2),  # never apart: each holds one
        (ResourceRequest(1, 1, 0.25), [FOUR_GPUS], 16),
        (ResourceRequest(1, 1, 0.3), [NodeResources("a", 16, 0.9)], 3),
        (ResourceRequest(8, 1, 1), [FOUR_GPUS], 0),
        (ResourceRequest(3, 1), [NodeResources("a", 2), NodeResources("b", 2), NodeResources("c", 2.5)], 2),
        (ResourceRequest(1, 0.1), [NodeResources("a", 1)], 10),
        (ResourceRequest(1, 1), [NodeResources("a", 20_000)], 10_000),
        (ResourceRequest(1, 1, avoided=("a",)), [NodeResources("a", 2)], 0),
    ],
)
def test_at_once_counts_the_trials_that_run_together(
    needs: ResourceRequest, nodes: list[NodeResources], expected: int
) -> None:
    assert at_once(needs, nodes) == expected


def test_impossible_only_asks_that_never_fit_are_named_with_what_there_is() -> None:
    problems = impossible({"base": ResourceRequest(1, 1), "big": ResourceRequest(3, 1)}, [NodeResources("a", 2)])
    assert problems == {"big": "asks for 3 workers x 1 CPU, but the cluster has 2 CPU"}


def test_refuse_impossible_names_ask_cluster_and_way_out() -> None:
    with pytest.raises(InputError, match=r"resources: .*big asks for 1 worker x 1 CPU and 8 GPU.*\n.*--address"):
        refuse_impossible({"big": ResourceRequest(1, 1, 8)}, [FOUR_GPUS])


def test_node_resources_dead_nodes_are_left_out() -> None:
    alive = {"NodeID": "a", "Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0, "memory": 1.0}}
    dead = {"NodeID": "b", "Alive": False, "Resources": {"CPU": 4.0}}
    assert node_resources([dead, alive]) == (NodeResources("a", 4, 1),)


@pytest.mark.parametrize(("chosen", "expected"), [(None, 2), ("0", 1), ("", 0), ("-1", 0), ("0,1,2,3", 2)])
def test_visible_gpus_are_those_that_the_environment_leaves(
    chosen: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for device in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / device).mkdir()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert visible_gpus(tmp_path) == expected


def test_share_is_that_of_the_scarcest_resource_and_infinite_of_what_is_not_there() -> None:
    nodes = [NodeResources("a", 10, 4), NodeResources("b", 10, 4)]
    assert share(ResourceRequest(2, 1, 1), nodes) == 0.25
    assert share(ResourceRequest(2, 5, 1), nodes) == 0.5
    assert share(ResourceRequest(1, 1, 1), [NodeResources("a", 10)]) == math.inf
    rare = NodeResources("c", 10, 4, labels={ACCELERATOR_LABEL: "H100"})
    assert share(ResourceRequest(2, 1, 1, labels=((ACCELERATOR_LABEL, "H100"),)), [*nodes, rare]) == 0.5


def test_refuse_unfit_admits_what_fits_the_nodes_that_may_come_and_refuses_what_fits_neither() -> None:
    empty = [NodeResources("head", 0)]
    refuse_unfit({"base": ResourceRequest(2, 1, 1)}, empty, [FOUR_GPUS])
    refuse_unfit({"base": ResourceRequest(2, 1, 1)}, [FOUR_GPUS], empty)
    with pytest.raises(InputError, match=r"wide asks for 9 workers .* has 16 CPU and 4 GPU"):
        refuse_unfit({"base": ResourceRequest(2, 1, 1), "wide": ResourceRequest(9, 1, 1)}, empty, [FOUR_GPUS])
    with pytest.raises(InputError, match="has 0 CPU"):
        refuse_unfit({"base": ResourceRequest(2, 1, 1)}, empty, ())
