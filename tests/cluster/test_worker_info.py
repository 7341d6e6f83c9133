"""Claims about cluster/worker_info.py."""

from __future__ import annotations

from cluster.worker_info import WorkerInfo, hosts_sentence, not_met, shared_device, visible_devices
from search_spaces.worker_contract import Failed

OVER_TWO_HOSTS = [
    WorkerInfo("a", "node-a", "10.0.0.1", 1, 0.0, interface="eth0"),
    WorkerInfo("a", "node-a", "10.0.0.1", 2, 0.0, interface="eth0"),
    WorkerInfo("b", "node-b", "10.0.0.2", 3, 0.0),
]


def test_two_ranks_on_one_device_are_found_and_both_are_named() -> None:
    workers = [
        WorkerInfo("node", "host", "10.0.0.1", 100 + rank, 0.0, (str(gpu),)) for rank, gpu in enumerate((0, 1, 1))
    ]
    problem = shared_device(workers)
    assert problem is not None
    assert "rank 1 (pid 101) and rank 2 (pid 102)" in problem
    assert "GPU 1 of host" in problem
    assert shared_device(workers[:2]) is None


def test_a_group_over_several_hosts_is_said_with_its_hosts() -> None:
    assert hosts_sentence(OVER_TWO_HOSTS) == (
        "the 3 workers of this group meet over the network: 2 on node-a (eth0, 10.0.0.1), 1 on node-b (10.0.0.2)"
    )


def test_a_group_that_could_not_meet_names_hosts_interfaces_and_the_meeting_point() -> None:
    failed = not_met(Failed("error", "Connection refused", rank=1), OVER_TWO_HOSTS, "10.0.0.1:4711")
    assert failed.message.startswith("Connection refused; the 3 workers of this group meet over the network: 2 on node")
    assert "rank 0 waits at 10.0.0.1:4711" in failed.message
    assert "--interface names another" in failed.message
    assert not_met(Failed("error", "no room"), OVER_TWO_HOSTS[:2], "10.0.0.1:4711").message == "no room"


def test_equal_device_numbers_on_two_nodes_are_two_devices() -> None:
    assert (
        shared_device(
            [
                WorkerInfo("a", "host-a", "10.0.0.1", 1, 0.0, ("0",)),
                WorkerInfo("b", "host-b", "10.0.0.2", 2, 0.0, ("0",)),
            ]
        )
        is None
    )


def test_a_group_is_on_gpus_or_on_cpus() -> None:
    assert "only one has" in str(
        shared_device([WorkerInfo("a", "h", "10.0.0.1", 1, 0.0, ("0",)), WorkerInfo("a", "h", "10.0.0.1", 2, 0.0)])
    )
    assert shared_device([WorkerInfo("a", "h", "10.0.0.1", 1, 0.0), WorkerInfo("a", "h", "10.0.0.1", 2, 0.0)]) is None


def test_a_rank_uses_what_the_environment_shows_not_what_ray_gave() -> None:
    assert visible_devices(["3"], "3") == ("3",)
    assert visible_devices(["3"], "0,1,2,3") == ("0", "1", "2", "3")  # as a scheduler left it: all ranks take GPU 0
    assert visible_devices(["3"], None) == ("0",)
    assert visible_devices([], "0,1") == ()


def test_failure_of_a_worker_says_host_node_and_gpu() -> None:
    failed = WorkerInfo("a", "host-a", "10.0.0.1", 1, 0.0, ("2",)).located(Failed("error", "broken", rank=1))
    assert failed == Failed("error", "broken", rank=1, host="host-a", node_id="a", gpu="2")
    assert WorkerInfo("a", "host-a", "10.0.0.1", 1, 0.0).located(Failed("error", "broken")).gpu is None
