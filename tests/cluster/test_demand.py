"""Claims about cluster/demand.py."""

from __future__ import annotations

import pytest

from cluster.demand import Bundle, Demand, read_may_come, write_may_come
from cluster.launcher import ResourceRequest
from cluster.profile import load_profile
from search_spaces.errors import InputError
from search_spaces.node_labels import ACCELERATOR_LABEL

GANG, ONE = ResourceRequest(8, 4, 1), ResourceRequest(1, 4, 1)


def test_read_may_come_takes_a_profile_or_counts_and_writes_the_latter() -> None:
    nodes = read_may_come("2x64:8, 1x16")
    assert [(node.cpus, node.gpus) for node in nodes] == [(64, 8), (64, 8), (16, 0)]
    assert read_may_come(write_may_come(nodes)) == nodes
    assert read_may_come("aws") == load_profile("aws").most_nodes


@pytest.mark.parametrize("text", ["99999x1", "nowhere", "4x"])
def test_read_may_come_refuses_what_is_neither(text: str) -> None:
    with pytest.raises(InputError):
        read_may_come(text)


def test_demand_asks_for_what_fits_once_all_nodes_have_come_and_only_when_it_changes() -> None:
    asked: list[list[Bundle]] = []
    demand = Demand(read_may_come("2x64:8"), asked.append)
    for _ in range(2):
        demand.show([GANG, GANG, GANG, ONE])
    assert asked == [[Bundle({"CPU": 32.0, "GPU": 8.0})] * 2], "a gang that one node can hold is not asked for in parts"
    demand.show([ONE])
    assert asked[-1] == [Bundle({"CPU": 4.0, "GPU": 1.0})]


def test_demand_is_given_back_when_nothing_waits_and_asked_for_no_more_than_once() -> None:
    asked: list[list[Bundle]] = []
    demand = Demand(read_may_come("1x64:8"), asked.append)
    demand.withdraw()
    demand.show([ONE])
    demand.show([])
    demand.withdraw()
    assert asked == [[Bundle({"CPU": 4.0, "GPU": 1.0})], []]


def test_labels_of_nodes_that_may_come_are_read_and_written() -> None:
    nodes = read_may_come("1x64:8@accelerator=H100@market=spot,1x64:8@accelerator=A100")
    assert [node.labels for node in nodes] == [
        {ACCELERATOR_LABEL: "H100", "market": "spot"},
        {ACCELERATOR_LABEL: "A100"},
    ]
    assert read_may_come(write_may_come(nodes)) == nodes
    with pytest.raises(InputError, match="1 to 63"):
        read_may_come("1x64:8@market=two words")


def test_demand_asks_for_nodes_with_the_labels_of_a_trial() -> None:
    asked: list[list[Bundle]] = []
    labelled = ResourceRequest(1, 4, 1, labels=((ACCELERATOR_LABEL, "H100"),))
    Demand(read_may_come("1x64:8@accelerator=H100,9x64:8"), asked.append).show([labelled] * 9)
    assert asked == [[Bundle({"CPU": 4.0, "GPU": 1.0}, {ACCELERATOR_LABEL: "H100"})] * 8]


def test_demand_leaves_nodes_with_labels_to_the_trials_that_ask_for_them() -> None:
    asked: list[list[Bundle]] = []
    labelled = ResourceRequest(8, 4, 1, labels=((ACCELERATOR_LABEL, "H100"),))
    Demand(read_may_come("1x64:8@accelerator=H100,1x64:8"), asked.append).show([GANG, labelled])
    resources = {"CPU": 32.0, "GPU": 8.0}
    assert asked == [[Bundle(resources, {ACCELERATOR_LABEL: "H100"}), Bundle(resources)]]


def test_demand_asks_for_a_gang_that_no_node_holds_worker_by_worker() -> None:
    asked: list[list[Bundle]] = []
    Demand(read_may_come("2x64:4"), asked.append).show([GANG])
    assert asked == [[Bundle({"CPU": 4.0, "GPU": 1.0})] * 8]
