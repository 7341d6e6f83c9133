"""Claims about orchestrator/running/rehearsal_sentences.py."""

from __future__ import annotations

from cluster.launcher import ResourceRequest
from orchestrator.running.rehearsal_sentences import ended
from orchestrator.running.rehearsals import PlannedRehearsal, RehearsalOutcome
from trainables.storage.records import Failure, Rehearsal, StageRehearsal

PLANNED = PlannedRehearsal("shape", "proof", "base", ResourceRequest(), ("a", "b"))


def test_what_a_rehearsal_showed_has_the_memory_beside_what_the_plan_expects() -> None:
    stage = StageRehearsal("align", 8, 4_400_000, 0.3, 0.1, 61_200_000_000, 70_000_000_000)
    record = Rehearsal("shape", "base", 8, "H200", (stage,), {"gqa": 4, "pope": 4}, None, 41.2, 1)
    assert ended(RehearsalOutcome(PLANNED, record), str) == (
        "rehearsed base (2 trials) in 41.2 s: align: 2 steps, checkpoint of 4.4 MB saved in 0.3 s and read back equal,"
        " peak 61.2 GB (planned 70.0 GB); 8 questions of 2 evaluation sets"
    )


def test_a_failure_says_its_kind_rank_host_and_log_and_what_is_not_started() -> None:
    failure = Failure("shape", "memory", "out of memory\nmore", "", "rank-1.log", 1, rank=1, host="node-7")
    assert ended(RehearsalOutcome(PLANNED, failure=failure), lambda name: f"/storage/{name}") == (
        "rehearsal of base FAILED (memory, rank 1 on node-7): out of memory\n"
        "    its 2 trials will not be started; log: /storage/rank-1.log"
    )


def test_a_failure_of_no_rank_names_none() -> None:
    failure = Failure("shape", "error", "broken", "", "log", 1)
    assert ended(RehearsalOutcome(PLANNED, failure=failure), str).startswith("rehearsal of base FAILED (error): broken")
