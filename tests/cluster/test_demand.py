"""Claims about cluster/demand.py."""

from __future__ import annotations

import pytest

from cluster.demand import Bundle, Demand, read_may_come, write_may_come
from cluster.launcher import ResourceRequest
from cluster.profile import load_profile
from search_spaces.errors import InputError

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
    assert [len(bundles) for bundles in asked] == [16]
    demand.show([ONE])
    assert asked[-1] == [{"CPU": 4.0, "GPU": 1.0}]


def test_demand_is_given_back_when_nothing_waits_and_asked_for_no_more_than_once() -> None:
    asked: list[list[Bundle]] = []
    demand = Demand(read_may_come("1x64:8"), asked.append)
    demand.withdraw()
    demand.show([ONE])
    demand.show([])
    demand.withdraw()
    assert asked == [[{"CPU": 4.0, "GPU": 1.0}], []]
