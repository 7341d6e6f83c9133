"""Claims about cluster/gang.py without a cluster; tests/orchestrator/running/test_tuner.py runs groups of actors."""

from __future__ import annotations

from cluster.gang import Gang, Seat, environment, shared_device, visible_devices
from cluster.launcher import Shape
from search_spaces.worker_contract import Place


def test_bundles_one_worker_is_the_trials_own_process() -> None:
    assert Gang().bundles(Shape(1, 2, 0.5)) == [{"CPU": 2.0, "GPU": 0.5}]


def test_bundles_several_workers_come_after_a_conductor_that_takes_no_cpu() -> None:
    assert Gang().bundles(Shape(2, 1)) == [{"CPU": 0.0}, {"CPU": 1.0}, {"CPU": 1.0}]


def test_environment_cpu_worker_has_ranks_threads_and_loopback() -> None:
    place = Place(rank=1, world=2, local_rank=1, device="cpu", threads=3, host="10.0.0.1")
    variables = environment(place, one_node=True)
    assert (variables["RANK"], variables["WORLD_SIZE"], variables["LOCAL_RANK"]) == ("1", "2", "1")
    assert (variables["OMP_NUM_THREADS"], variables["DS_ACCELERATOR"]) == ("3", "cpu")
    assert variables["GLOO_SOCKET_IFNAME"] == variables["NCCL_SOCKET_IFNAME"]
    assert variables["GLOO_SOCKET_IFNAME"].startswith("lo")


def test_environment_workers_on_several_nodes_or_gpus_choose_network_and_accelerator_themselves() -> None:
    place = Place(rank=1, world=2, local_rank=0, device="cuda", threads=1, host="10.0.0.1")
    assert not {"GLOO_SOCKET_IFNAME", "DS_ACCELERATOR"} & environment(place, one_node=False).keys()


def test_two_ranks_on_one_device_are_found_and_both_are_named() -> None:
    seats = [Seat("node", "10.0.0.1", 100 + rank, (str(gpu),)) for rank, gpu in enumerate((0, 1, 1))]
    said = shared_device(seats)
    assert said is not None
    assert "rank 1 (pid 101) and rank 2 (pid 102)" in said
    assert "GPU 1 of 10.0.0.1" in said
    assert shared_device(seats[:2]) is None


def test_equal_device_numbers_on_two_nodes_are_two_devices() -> None:
    assert shared_device([Seat("a", "10.0.0.1", 1, ("0",)), Seat("b", "10.0.0.2", 2, ("0",))]) is None


def test_a_group_is_on_gpus_or_on_cpus() -> None:
    assert "only one has" in str(shared_device([Seat("a", "h", 1, ("0",)), Seat("a", "h", 2)]))
    assert shared_device([Seat("a", "h", 1), Seat("a", "h", 2)]) is None


def test_a_rank_uses_what_the_environment_shows_not_what_ray_gave() -> None:
    assert visible_devices(["3"], "3") == ("3",)
    assert visible_devices(["3"], "0,1,2,3") == ("0", "1", "2", "3")  # as a scheduler left it: all ranks take GPU 0
    assert visible_devices(["3"], None) == ("0",)
    assert visible_devices([], "0,1") == ()
