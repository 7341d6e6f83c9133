"""Claims about orchestrator/running/tune_hooks.py without a run of Tune; test_tuner.py has it with a cluster."""

from __future__ import annotations

import errno
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.core.generated.common_pb2 import ActorDiedErrorContext, NodeDeathInfo
from ray.exceptions import (
    ActorDiedError,
    ActorUnschedulableError,
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
)
from ray.tune.experiment import Trial

from cluster.process_state import set_environment
from orchestrator.running.tune_hooks import TUNE_ENVIRONMENT, _error_of, _TrialIds, kind_of, reservation
from search_spaces.node_labels import NODE_LABEL
from search_spaces.outcomes import FailureKind
from tests.support.hostile_files import Payload
from trainables.workers.tune_trial import TrialFailedError


def task_error(cause: Exception) -> RayTaskError:
    return RayTaskError("step", f"Traceback\n{type(cause).__name__}: {cause}", cause)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RayActorError(), "lost"),
        (ActorDiedError(), "lost"),
        (NodeDiedError("its node died"), "lost"),
        (ActorUnschedulableError("its node is gone"), "lost"),
        (OutOfMemoryError("memory monitor"), "memory"),
        (task_error(TrialFailedError("hung", "rank 1 gave no sign")), "hung"),
        (task_error(ValueError("broken")), "error"),
        (task_error(OSError(errno.ENOSPC, "No space left on device")), "full"),
        (OSError(errno.ENOSPC, "No space left on device"), "full"),
        (RuntimeError("Tune gives no reason"), "error"),
    ],
)
def test_kind_of_tells_the_code_of_a_trial_from_what_it_runs_on(error: Exception, kind: FailureKind) -> None:
    assert kind_of(error)[0] == kind


@pytest.mark.parametrize(
    ("reason", "kind", "message"),
    [
        (NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED, "preempted", "its node was drained or preempted"),
        (NodeDeathInfo.UNEXPECTED_TERMINATION, "lost", "its node is gone: the machine, its network or its Ray"),
    ],
)
def test_kind_of_a_node_that_was_taken_away_is_told_from_one_that_died(
    reason: int, kind: FailureKind, message: str
) -> None:
    says = "The actor died because its node has died. Node Id: 0123"  # as Ray does of both
    death = ActorDiedErrorContext(actor_id=bytes(16), node_death_info=NodeDeathInfo(reason=reason), error_message=says)
    assert kind_of(ActorDiedError(death)) == (kind, message)


def test_tune_does_not_try_a_trial_again_by_itself_whose_node_was_drained(monkeypatch: pytest.MonkeyPatch) -> None:
    preempted = NodeDeathInfo(reason=NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED)
    error = ActorDiedError(ActorDiedErrorContext(actor_id=bytes(16), node_death_info=preempted))
    monkeypatch.setattr(Trial, "local_path", None)  # it keeps no file of the error
    trial = Trial("stub", stub=True, max_failures=0)
    with set_environment(TUNE_ENVIRONMENT):
        trial.handle_error(error)
    assert not trial.should_recover()


def test_kind_of_message_is_one_line() -> None:
    assert kind_of(task_error(TrialFailedError("memory", "CUDA out of memory"))) == ("memory", "CUDA out of memory")
    assert kind_of(task_error(ValueError("broken"))) == ("error", "ValueError: broken")


def test_reservation_elsewhere_asks_every_bundle_with_resources_for_another_node() -> None:
    gang = [{"CPU": 0.0}, {"CPU": 1.0}, {"CPU": 1.0}]
    assert reservation(gang, {}).required_resources == {"CPU": 2.0}
    assert reservation(gang, {}) == reservation(gang, {})
    others = {NODE_LABEL: "!in(n1,n2)"}
    elsewhere = reservation(gang, others)
    assert elsewhere != reservation(gang, {})
    assert elsewhere == reservation(gang, others)
    assert elsewhere._kwargs == {"bundle_label_selector": [others] * 2}


def test_reservation_on_one_node_is_never_put_apart() -> None:
    gang = [{"CPU": 0.0}, {"CPU": 1.0}, {"CPU": 1.0}]
    assert reservation(gang, {}, on_one_node=True).strategy == "STRICT_PACK"
    assert reservation(gang, {"market": "spot"}).strategy == "PACK"


@dataclass
class HandingOut:
    """A run that hands out one trial."""

    most_at_once: int

    def next(self) -> str:
        return "t"

    def avoided(self, trial: str) -> tuple[str, ...]:
        return ("n2",)

    def is_on_one_node(self, trial: str) -> bool:
        return True


def test_a_trial_is_placed_on_nodes_that_are_fit_and_reports_the_more_rarely_the_more_may_run() -> None:
    few = _TrialIds(HandingOut(most_at_once=2), {}, lambda: ("n1", "n2")).suggest("tune's id")  # type: ignore[arg-type]
    assert few == {"trial": "t", "nodes": "in(n1)", "on_one_node": True, "report_every_s": 1.0}
    many = _TrialIds(HandingOut(most_at_once=200), {}, None).suggest("tune's id")  # type: ignore[arg-type]
    assert many == {"trial": "t", "nodes": "!in(n2)", "on_one_node": True, "report_every_s": 10.0}


def _trial(file: Path) -> SimpleNamespace:
    return SimpleNamespace(pickled_error_file=str(file))


def test_an_error_of_this_user_is_read(tmp_path: Path) -> None:
    (tmp_path / "error.pkl").write_bytes(pickle.dumps(ValueError("what happened")))
    assert str(_error_of(_trial(tmp_path / "error.pkl"))) == "what happened"


def test_a_file_that_others_could_write_is_not_opened(tmp_path: Path) -> None:
    file, proof = tmp_path / "error.pkl", tmp_path / "proof"
    file.write_bytes(pickle.dumps(Payload(proof)))
    os.chmod(file, 0o666)
    assert "could be written by others, and is not read" in str(_error_of(_trial(file)))
    assert not proof.exists()
