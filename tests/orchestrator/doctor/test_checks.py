"""Claims about orchestrator/doctor/checks.py and study_checks.py: what facts lead to which finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from orchestrator.doctor.checks import AREAS, CHECKS, CheckName, FactsName
from orchestrator.doctor.diagnose import WITHOUT_ANSWER, judge
from orchestrator.doctor.facts import (
    ClusterFacts,
    EmbeddedFacts,
    Gpu,
    MachineFacts,
    PackageFacts,
    StorageFacts,
    StudyFacts,
    TrackingFacts,
    Unanswered,
)
from orchestrator.doctor.findings import State

GB = 10**9
MACHINE = MachineFacts(8, 64 * GB, 40 * GB, 0, (), None, "no library", "2.14.1+cpu")
WITH_GPU = replace(MACHINE, listed_gpus=1, gpus=(Gpu("H200", 141 * GB),), driver="570", gpu_error=None, torch="2.14.1")
NODE = replace(
    WITH_GPU,
    listed_gpus=2,
    gpus=(Gpu("H200", 141 * GB), Gpu("H200", 141 * GB)),
    driver="580.95.05",
    cuda="13.0",
    shared_memory_bytes=8 * GB,
)
PACKAGES = PackageFacts({"torch": "2.14.1"}, ())
EMBEDDED = EmbeddedFacts("/tmp", "/tmp", None, 50 * GB, GB, None, 0)
HEAD = ClusterFacts(None, None, "10.0.0.1:6379")
STORAGE = StorageFacts("/data", True, None, None, False, 100 * GB, 10**6, 0.002, 0.01, ())
TRACKING = TrackingFacts("http://mlflow", 0.1, None, None, None)
STUDY = StudyFacts(
    "small",
    None,
    4,
    1,
    (),
    (),
    (),
    10 * GB,
    0,
    50 * GB,
    None,
    8 * GB,
    None,
    False,
    2,
    "At most 10 min.",
    0,
    False,
    64 * GB,
)
OFFLOADED = replace(STUDY, offloads=True)
COMPILED = replace(OFFLOADED, compiles=True)
GOOD: dict[FactsName, Any] = {
    "machine": NODE,
    "packages": PACKAGES,
    "embedded": EMBEDDED,
    "cluster": HEAD,
    "storage": STORAGE,
    "tracking": TRACKING,
    "study": COMPILED,
}


def test_every_check_is_in_the_table_and_every_kind_of_facts_has_an_area_and_words_for_silence() -> None:
    assert set(CHECKS) == set(get_args(CheckName))
    assert {check.of for check in CHECKS.values()} == set(AREAS) == set(WITHOUT_ANSWER) == set(get_args(FactsName))


def test_every_check_has_a_finding_about_good_facts_and_all_are_right() -> None:
    findings = judge(GOOD)
    assert len(findings) == len(CHECKS)
    assert {(finding.state, finding.way_out) for finding in findings} == {("right", None)}


def test_nothing_is_said_of_what_was_not_asked() -> None:
    assert {finding.area for finding in judge({"machine": MACHINE})} == {"machine"}


@pytest.mark.parametrize("silent", get_args(FactsName))
def test_facts_that_could_not_be_gathered_are_one_finding_that_says_so(silent: FactsName) -> None:
    findings = judge({silent: Unanswered("gave no answer within 20 s")})
    assert [(finding.area, finding.state) for finding in findings] == [(AREAS[silent], WITHOUT_ANSWER[silent][0])]
    assert findings[0].says.endswith("gave no answer within 20 s")


@pytest.mark.parametrize(
    ("check", "facts", "state", "words"),
    [
        ("memory", replace(MACHINE, free_memory_bytes=GB), "fails", "over 95 %"),
        ("memory", replace(MACHINE, memory_bytes=8 * GB, free_memory_bytes=GB), "slow", "few trials"),
        ("gpus", WITH_GPU, "right", "1 x H200, 141.0 GB"),
        ("gpus", replace(WITH_GPU, gpus=(), gpu_error="Driver/library version mismatch"), "fails", "mismatch"),
        ("gpus", replace(WITH_GPU, torch="2.14.1+cpu"), "fails", "without CUDA"),
        ("gpus", replace(WITH_GPU, listed_gpus=0), "slow", "sees none"),
        (
            "driver",
            replace(NODE, driver="535.183.01"),
            "fails",
            "torch 2.14.1, which is built for CUDA 13.0 and needs 580",
        ),
        ("peer access", replace(NODE, pairs_apart=((0, 1),)), "slow", "1 pair of GPUs cannot"),
        ("shared memory", replace(NODE, shared_memory_bytes=64 * 10**6), "slow", "/dev/shm has 64.0 MB free: NCCL"),
        ("shared memory", replace(NODE, shared_memory_bytes=None), "slow", "there is no /dev/shm"),
        ("locked memory", replace(OFFLOADED, locked_limit_bytes=8 * 10**6), "slow", "may lock 8.0 MB"),
        ("packages", PackageFacts({}, ("ray==2.60.0 (2.50.0)",)), "fails", "ray==2.60.0 (2.50.0)"),
        ("packages", PackageFacts({}, None), "unknown", "not recorded"),
        ("embedded cluster", replace(EMBEDDED, folder_error="Read-only file system"), "fails", "Read-only"),
        ("embedded cluster", replace(EMBEDDED, port_error="Operation not permitted"), "fails", "no port"),
        ("embedded cluster", replace(EMBEDDED, free_bytes=0), "fails", "0 B are free"),
        ("embedded cluster", replace(EMBEDDED, shared_memory_bytes=64 * 10**6), "slow", "/dev/shm has 64.0 MB free"),
        ("embedded cluster", replace(EMBEDDED, shared_memory_bytes=None), "slow", "/dev/shm is absent"),
        ("embedded cluster", replace(EMBEDDED, preferred="/long"), "right", "/long is too long for sockets"),
        ("embedded cluster", replace(EMBEDDED, abandoned=2), "right", "removes 2 sessions that killed runs"),
        ("named cluster", ClusterFacts("RAY_ADDRESS: it must answer", "Unset it."), "fails", "RAY_ADDRESS"),
        (
            "file system",
            replace(STORAGE, error="must allow leases", way_out="NFS."),
            "fails",
            "/data: must allow leases",
        ),
        ("room", replace(STORAGE, free_bytes=GB), "slow", "1.0 GB are free"),
        ("room", replace(STORAGE, free_files=12), "slow", "only 12 files"),
        ("flushed writes", replace(STORAGE, flushed_write_s=0.5), "slow", "takes 500.0 ms"),
        ("clock", replace(STORAGE, clock_ahead_s=-600.0), "slow", "10 min behind"),
        ("runs", replace(STORAGE, runs=("small of ada@n1",)), "right", "small of ada@n1"),
        (
            "tracking server",
            replace(TRACKING, error="it answers 401", way_out="Log in."),
            "fails",
            "http://mlflow: it answers 401",
        ),
        ("tracking server", replace(TRACKING, address=None, note="a run makes it"), "right", "a run makes it"),
        ("plan", replace(STUDY, error="must be\nDo this."), "fails", "must be"),
        ("data and weights", replace(STUDY, missing=("llava: nothing there",)), "fails", "llava: nothing there"),
        ("data and weights", replace(STUDY, fetched=("hub:a/b",)), "unknown", "hub:a/b"),
        ("data and weights", replace(STUDY, unread=("easy-vqa",)), "right", "reads easy-vqa first"),
        ("room of the study", replace(STUDY, free_bytes=GB), "fails", "10.0 GB more"),
        ("room of the study", replace(STUDY, free_bytes=GB, held_bytes=10 * GB), "right", "0 B more"),
        ("room of the study", replace(STUDY, need_bytes=None), "unknown", "not known"),
        ("fit", replace(STUDY, misfit="base asks for 9 workers"), "fails", "9 workers"),
        ("fit", replace(STUDY, is_elsewhere=True), "unknown", "named cluster"),
        ("launcher", replace(STUDY, launcher_note="launcher ray-train: a run"), "right", "launcher ray-train"),
        ("memory of the study", replace(STUDY, memory_bytes=40 * GB), "fails", "needs 80.0 GB of this machine"),
        ("memory of the study", replace(STUDY, memory_bytes=40 * GB, uses_gpus=True), "right", "40.0 GB of a GPU"),
        (
            "memory of the study",
            replace(STUDY, memory_bytes=40 * GB, uses_gpus=True, gpu_share=0.25, device_bytes=20 * GB),
            "fails",
            "40.0 GB of 0.25 of a GPU, which has 20.0 GB",
        ),
        ("memory of the study", replace(STUDY, device_bytes=None), "unknown", "none is seen"),
        ("memory of the study", replace(STUDY, memory_bytes=None), "unknown", "not known"),
        ("compiler", replace(COMPILED, missing_tools=("a C++ compiler (g++)",)), "fails", "lacks a C++ compiler (g++)"),
        ("compiler", replace(COMPILED, is_elsewhere=True), "unknown", "cluster's nodes can compile"),
        ("lost work", replace(STUDY, begun=3), "right", "3 stages of it will go on"),
    ],
)
def test_check_judges_facts(check: CheckName, facts: Any, state: State, words: str) -> None:
    finding = CHECKS[check].judge(facts)
    assert finding is not None
    assert (finding.state, words in finding.says) == (state, True), finding.says
    assert finding.way_out or state in ("right", "unknown")


def test_way_out_of_an_old_driver_names_the_cuda_version_that_it_runs() -> None:
    ways_out = [CHECKS["driver"].judge(replace(NODE, driver=driver)) for driver in ("570.86", "390.157")]
    assert ["index for CUDA 12" in (each.way_out or "") for each in ways_out if each] == [True, False]


@pytest.mark.parametrize(
    ("check", "facts"),
    [
        ("driver", MACHINE),
        ("peer access", WITH_GPU),
        ("shared memory", WITH_GPU),
        ("locked memory", STUDY),
        ("compiler", STUDY),
    ],
)
def test_nothing_is_said_of_what_no_trial_here_needs(check: CheckName, facts: Any) -> None:
    assert CHECKS[check].judge(facts) is None


@pytest.mark.parametrize(
    ("of", "facts", "one"),
    [
        (
            "storage",
            replace(STORAGE, error="is away", free_bytes=None, flushed_write_s=None, clock_ahead_s=None),
            "fails",
        ),
        ("study", replace(STUDY, error="must be planned"), "fails"),
    ],
)
def test_what_cannot_be_used_at_all_is_one_finding(of: FactsName, facts: Any, one: State) -> None:
    assert [finding.state for finding in judge({of: facts})] == [one]
