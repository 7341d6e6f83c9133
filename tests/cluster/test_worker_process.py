"""Claims about cluster/worker_process.py; tests/cluster/test_launchers.py runs groups of workers."""

from __future__ import annotations

import re

import pytest

from cluster.allocator import ALLOCATOR_SETTINGS
from cluster.worker_process import environment, missing_interface
from search_spaces.worker_contract import RankInfo


def test_environment_cpu_worker_has_ranks_and_threads() -> None:
    rank_info = RankInfo(rank=1, world=2, local_rank=1, device="cpu", threads=3, host="10.0.0.1")
    variables = environment(rank_info, {})
    assert (variables["RANK"], variables["WORLD_SIZE"], variables["LOCAL_RANK"]) == ("1", "2", "1")
    assert (variables["OMP_NUM_THREADS"], variables["DS_ACCELERATOR"]) == ("3", "cpu")


def test_environment_workers_on_gpus_choose_the_accelerator_themselves() -> None:
    rank_info = RankInfo(rank=1, world=2, local_rank=0, device="cuda", threads=1, host="10.0.0.1")
    assert "DS_ACCELERATOR" not in environment(rank_info, {})


def test_an_interface_that_is_not_there_is_named_with_the_host_and_those_that_are() -> None:
    assert missing_interface("127.0.0.1", None) is None
    sentence = missing_interface("127.0.0.1", "eth99") or ""
    assert re.fullmatch(r"\S+ has no network interface eth99; it has .*\(127.0.0.1\).*", sentence)


@pytest.mark.parametrize("name", ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"])
def test_segments_of_gpu_memory_grow_unless_the_user_has_set_the_allocator(name: str) -> None:
    on_gpu = RankInfo(rank=0, world=1, local_rank=0, device="cuda", threads=1, host="10.0.0.1")
    assert environment(on_gpu, {})["PYTORCH_CUDA_ALLOC_CONF"] == "expandable_segments:True"
    assert not set(environment(on_gpu, {name: "max_split_size_mb:512"})) & set(ALLOCATOR_SETTINGS)
    on_cpu = RankInfo(rank=0, world=1, local_rank=0, device="cpu", threads=1, host="10.0.0.1")
    assert not set(environment(on_cpu, {})) & set(ALLOCATOR_SETTINGS)


def test_every_worker_on_a_gpu_has_the_workspace_of_repeatable_products_before_torch_unless_the_user_has_set_it() -> (
    None
):
    on_gpu = RankInfo(rank=0, world=1, local_rank=0, device="cuda", threads=1, host="10.0.0.1")
    assert environment(on_gpu, {})["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert "CUBLAS_WORKSPACE_CONFIG" not in environment(on_gpu, {"CUBLAS_WORKSPACE_CONFIG": ":16:8"})
    on_cpu = RankInfo(rank=0, world=1, local_rank=0, device="cpu", threads=1, host="10.0.0.1")
    assert "CUBLAS_WORKSPACE_CONFIG" not in environment(on_cpu, {})
