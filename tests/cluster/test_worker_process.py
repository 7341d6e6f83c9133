"""Claims about cluster/worker_process.py; tests/cluster/test_launchers.py runs groups of workers."""

from __future__ import annotations

import pytest

from cluster.allocator import ALLOCATOR_SETTINGS
from cluster.worker_process import environment
from search_spaces.worker_contract import RankInfo


def test_environment_cpu_worker_has_ranks_threads_and_loopback() -> None:
    rank_info = RankInfo(rank=1, world=2, local_rank=1, device="cpu", threads=3, host="10.0.0.1")
    variables = environment(rank_info, True, {})
    assert (variables["RANK"], variables["WORLD_SIZE"], variables["LOCAL_RANK"]) == ("1", "2", "1")
    assert (variables["OMP_NUM_THREADS"], variables["DS_ACCELERATOR"]) == ("3", "cpu")
    assert variables["GLOO_SOCKET_IFNAME"] == variables["NCCL_SOCKET_IFNAME"]
    assert variables["GLOO_SOCKET_IFNAME"].startswith("lo")


def test_environment_workers_on_several_nodes_or_gpus_choose_network_and_accelerator_themselves() -> None:
    rank_info = RankInfo(rank=1, world=2, local_rank=0, device="cuda", threads=1, host="10.0.0.1")
    assert not {"GLOO_SOCKET_IFNAME", "DS_ACCELERATOR"} & environment(rank_info, False, {}).keys()


@pytest.mark.parametrize("name", ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"])
def test_segments_of_gpu_memory_grow_unless_the_user_has_set_the_allocator(name: str) -> None:
    on_gpu = RankInfo(rank=0, world=1, local_rank=0, device="cuda", threads=1, host="10.0.0.1")
    assert environment(on_gpu, True, {})["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True"
    assert not set(environment(on_gpu, True, {name: "max_split_size_mb:512"})) & set(ALLOCATOR_SETTINGS)
    on_cpu = RankInfo(rank=0, world=1, local_rank=0, device="cpu", threads=1, host="10.0.0.1")
    assert not set(environment(on_cpu, True, {})) & set(ALLOCATOR_SETTINGS)
