"""Claims about cluster/gang.py that need no cluster; groups of actors are run in tests/orchestrator/test_tuner.py."""

from __future__ import annotations

from cluster.gang import Gang, environment
from cluster.launcher import Place, Shape


def test_bundles_one_worker_is_the_trials_own_process() -> None:
    assert Gang().bundles(Shape(1, 2, 0.5)) == [{"CPU": 2.0, "GPU": 0.5}]


def test_bundles_several_workers_come_after_a_conductor_that_takes_no_cpu() -> None:
    assert Gang().bundles(Shape(2, 1)) == [{"CPU": 0.0}, {"CPU": 1.0}, {"CPU": 1.0}]


def test_environment_cpu_worker_has_ranks_threads_and_loopback() -> None:
    place = Place(rank=1, world=2, local_rank=1, device="cpu", threads=3, host="10.0.0.1")
    variables = environment(place, one_node=True)
    assert (variables["RANK"], variables["WORLD_SIZE"], variables["LOCAL_RANK"]) == ("1", "2", "1")
    assert (variables["OMP_NUM_THREADS"], variables["DS_ACCELERATOR"]) == ("3", "cpu")
    assert variables["GLOO_SOCKET_IFNAME"].startswith("lo")


def test_environment_workers_on_several_nodes_or_gpus_choose_network_and_accelerator_themselves() -> None:
    place = Place(rank=1, world=2, local_rank=0, device="cuda", threads=1, host="10.0.0.1")
    assert not {"GLOO_SOCKET_IFNAME", "DS_ACCELERATOR"} & environment(place, one_node=False).keys()
