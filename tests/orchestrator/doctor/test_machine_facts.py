"""Claims about the facts that are read from a machine with GPUs; NVIDIA's library is a fake."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from orchestrator.doctor.machine_facts import machine_facts

NVML = SimpleNamespace(
    NVMLError=RuntimeError,
    NVML_P2P_CAPS_INDEX_READ=0,
    NVML_P2P_STATUS_OK=0,
    nvmlInit=lambda: None,
    nvmlDeviceGetCount=lambda: 3,
    nvmlDeviceGetHandleByIndex=lambda index: index,
    nvmlDeviceGetName=lambda handle: "NVIDIA H100",
    nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(total=80),
    nvmlDeviceGetP2PStatus=lambda left, right, capability: 0 if {left, right} == {0, 1} else 4,
)


def test_pairs_of_gpus_that_cannot_reach_each_other_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", NVML)
    facts = machine_facts()
    assert len(facts.gpus) == 3
    assert facts.pairs_apart == ((0, 2), (1, 2))


def test_the_cuda_version_of_torch_is_read_without_loading_it() -> None:
    assert machine_facts().cuda == torch.version.cuda
