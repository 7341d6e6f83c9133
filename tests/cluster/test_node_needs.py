"""Claims about cluster/node_needs.py."""

from __future__ import annotations

from dataclasses import replace

from cluster.fit import NodeResources
from cluster.launcher import ResourceRequest
from cluster.node_needs import NodeNeeds

COMMON = NodeResources("common", 8, 8)
RARE = NodeResources("rare", 8, 8, labels={"kind": "rare"})
SPOT = NodeResources("spot", 8, 8, labels={"kind": "rare", "market": "spot"})
WITHOUT_GPUS = NodeResources("plain", 8, labels={"kind": "rare"})
NODES = [COMMON, RARE, SPOT, WITHOUT_GPUS]

ANYWHERE = ResourceRequest(1, 1, 1)
ON_RARE = replace(ANYWHERE, labels=(("kind", "rare"),))
ON_SPOT = replace(ANYWHERE, labels=(("market", "spot"),))


def needs_of(*requests: ResourceRequest) -> NodeNeeds:
    needs = NodeNeeds(NODES)
    for request in requests:
        needs.add(request)
    return needs


def test_a_node_is_needed_by_the_waiting_trials_whose_labels_it_has_and_whose_workers_it_can_hold() -> None:
    assert needs_of(ON_RARE, ON_RARE, ON_SPOT, ANYWHERE).by_node() == (0, 2, 3, 0)


def test_no_node_is_needed_by_what_asks_for_no_labels_or_does_not_wait_any_more() -> None:
    needs = needs_of(ANYWHERE, ON_RARE)
    needs.remove(replace(ON_RARE, avoided=("rare",)))
    assert needs.by_node() == ()


def test_nodes_that_come_are_counted_and_those_that_go_are_not() -> None:
    needs = needs_of(ON_SPOT)
    needs.resize([SPOT, COMMON])
    assert needs.by_node() == (1, 0)


def test_nodes_are_kept_for_what_has_fewer_of_the_same_to_choose_from() -> None:
    needs = needs_of()
    assert needs.kept_from(ANYWHERE, [ON_SPOT]) == {2}
    assert needs.kept_from(ANYWHERE, [ON_RARE, ON_SPOT]) == {1, 2}
    assert needs.kept_from(ON_RARE, [ON_RARE, ON_SPOT]) == {2}
    assert needs.kept_from(ON_SPOT, [ON_RARE, ON_SPOT, ANYWHERE]) == frozenset()
    assert needs.kept_from(replace(ANYWHERE, workers=9), [replace(ANYWHERE, workers=2)]) == frozenset()


def test_what_was_given_nodes_that_few_need_leaves_those_free_that_more_need() -> None:
    needs = needs_of(ON_RARE, ON_SPOT)
    assert needs.left_free(ANYWHERE, (1, 0, 0, 0)) == ("rare", "spot")
    assert needs.left_free(ANYWHERE, (0, 1, 0, 0)) == ("spot",)
    assert needs.left_free(ANYWHERE, (1, 0, 1, 0)) == ()
    assert needs.left_free(ON_RARE, (0, 1, 0, 0)) == ("spot",)
    assert needs_of().left_free(ANYWHERE, (1, 0, 0, 0)) == ()
