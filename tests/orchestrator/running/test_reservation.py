"""Claims about orchestrator/running/reservation.py."""

from __future__ import annotations

from cluster.fit import NodeResources
from cluster.launcher import ResourceRequest
from orchestrator.running.reservation import Ending, reserve

GANG = ResourceRequest(workers=4, cpus_per_worker=1, gpus_per_worker=1)
ONE = ResourceRequest(workers=1, cpus_per_worker=1, gpus_per_worker=1)


def test_reserve_takes_the_first_room_that_is_large_enough_and_leaves_the_rest() -> None:
    free = [NodeResources("a", 8, 1), NodeResources("b", 8, 2)]
    endings = [Ending(30, ONE, (1, 0)), Ending(10, ONE, (0, 1)), Ending(20, ONE, (0, 1))]
    reservation = reserve(GANG, free, endings)
    assert reservation is not None
    assert reservation.in_s == 10
    assert sum(node.gpus for node in reservation.beside) == 0
    later = reserve(GANG, [NodeResources("a", 8, 3), NodeResources("b", 8, 0)], [Ending(5, GANG, (0, 4))])
    assert later is not None
    assert [node.gpus for node in later.beside] == [3, 0]


def test_reserve_of_what_fits_nowhere_even_when_all_have_ended_is_none() -> None:
    assert reserve(GANG, [NodeResources("a", 8, 1)], [Ending(5, ONE, (1,))]) is None


def test_reserve_on_one_node_waits_for_one_that_holds_all() -> None:
    free = [NodeResources("a", 8, 1), NodeResources("b", 8, 2)]
    endings = [Ending(10, ONE, (1, 0)), Ending(20, ONE, (0, 1)), Ending(30, ONE, (0, 1))]
    apart, together = reserve(GANG, free, endings), reserve(GANG, free, endings, on_one_node=True)
    assert apart is not None
    assert together is not None
    assert (apart.in_s, together.in_s) == (10, 30)
