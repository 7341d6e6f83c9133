"""Claims about what a run says of this machine's GPUs before its first trial."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.doctor.before_run import refuse_without_compiler, tell_gpu_troubles
from orchestrator.doctor.facts import Gpu, MachineFacts
from search_spaces.errors import InputError
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan
from search_spaces.study_files import load_study

GB = 10**9
LACKING = MachineFacts(
    cpus=96,
    memory_bytes=900 * GB,
    free_memory_bytes=800 * GB,
    listed_gpus=2,
    gpus=(Gpu("H100", 85 * GB), Gpu("H100", 85 * GB)),
    driver="535.183.01",
    gpu_error=None,
    torch="2.14.1",
    cuda="13.0",
    pairs_apart=((0, 1),),
    shared_memory_bytes=64 * 10**6,
    locked_limit_bytes=8 * 10**6,
)


def _plan(*resources: str) -> Plan:
    return plan_study(load_study("quickstart", [f"resources.{each}" for each in resources]))


def _told(monkeypatch: pytest.MonkeyPatch, plan: Plan, facts: MachineFacts = LACKING) -> list[str]:
    monkeypatch.setattr("orchestrator.doctor.before_run.machine_facts", lambda: facts)
    lines: list[str] = []
    tell_gpu_troubles(plan, lines.append)
    return lines


def test_a_run_is_told_in_a_line_each_what_its_trials_miss_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _told(monkeypatch, _plan("workers=2", "gpus_per_worker=1", "zero=2", "offload=optimizer"))
    begins = ["driver 535.183.01 is too old", "1 pair of GPUs", "/dev/shm has 64.0 MB free", "it offloads to the host"]
    assert [line.startswith(begin) for line, begin in zip(lines, begins, strict=True)] == [True] * 4
    assert all(len(line.split(". ", maxsplit=1)) == 2 for line in lines)


def test_trials_of_one_worker_need_no_way_between_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(_told(monkeypatch, _plan("gpus_per_worker=1"))) == 1
    assert _told(monkeypatch, _plan("gpus_per_worker=1"), replace(LACKING, driver="580.95.05")) == []


def test_of_a_study_without_gpus_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.doctor.before_run.machine_facts", lambda: pytest.fail("looked at the machine"))
    tell_gpu_troubles(_plan("workers=2"), lambda line: pytest.fail(line))


def test_a_run_with_compiled_layers_is_refused_where_there_is_no_compiler(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(InputError, match=r"resources\.compile: .*needs a C\+\+ compiler \(g\+\+\)") as refused:
        refuse_without_compiler(_plan("compile=true"))
    assert refused.value.way_out is not None
    refuse_without_compiler(_plan("workers=1"))
