"""A node says what its GPUs lack for the trials that fit there."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.doctor.facts import Gpu, MachineFacts
from orchestrator.doctor.node_look import FoundThere, look_there
from search_spaces.resource_spec import ResourceSpec
from trainables.model.weights_on_node import ExpectedWeights

MIB = 1024**2
TWO_GPUS = ResourceSpec.model_validate({"workers": 2, "gpus_per_worker": 1})


def test_little_shared_memory_is_told_and_the_machine_is_looked_at_for_gpus_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = list[MachineFacts]()

    def facts() -> MachineFacts:
        gpu = Gpu("H100", 80 * 1024 * MIB)
        looks.append(MachineFacts(8, 8, 8, 2, (gpu, gpu), "580.1", None, "2.9", "13.0", shared_memory_bytes=64 * MIB))
        return looks[-1]

    monkeypatch.setattr("orchestrator.doctor.machine_facts.machine_facts", facts)
    assert look_there([], tmp_path, []) == FoundThere()
    assert looks == []
    (trouble,) = look_there([], tmp_path, [TWO_GPUS]).troubles
    assert trouble.startswith("/dev/shm has ")
    assert trouble.endswith("Containers: `--shm-size 1g`.")


def test_weights_are_looked_for_too(tmp_path: Path) -> None:
    (lacks,) = look_there([ExpectedWeights("path:tower", {"a.pt": 1})], tmp_path, []).lacking
    assert lacks.startswith("path:tower (it is not there; ")


def test_a_machine_that_cannot_be_looked_at_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def facts() -> MachineFacts:
        raise OSError("Input/output error")

    monkeypatch.setattr("orchestrator.doctor.machine_facts.machine_facts", facts)
    assert look_there([], tmp_path, [TWO_GPUS]).troubles == ("its GPUs cannot be looked at: Input/output error",)
