"""Claims about orchestrator/tracking/endings.py; test_replay.py has what is sent of them."""

from __future__ import annotations

import pytest

from orchestrator.tracking.endings import Ending, ending_tags, read_ending
from tests.support.stored_studies import answers, finish_trial, two_stage_plan
from trainables.storage import layout
from trainables.storage.store import LocalStore


def test_a_result_that_another_run_sets_aside_as_it_is_read_is_no_ending(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = two_stage_plan()
    trial = plan.trials[0]
    finish_trial(store, plan, trial, {"shape": answers(0.5)})
    result, get = layout.trial_result(plan.study, trial.id), LocalStore.get
    before = read_ending(store, plan.study, trial.id)
    assert before is not None
    assert before.status == "FINISHED"

    def get_before_it_goes(self: LocalStore, name: str) -> bytes:
        content = get(self, name)
        self.remove(result)
        return content

    monkeypatch.setattr(LocalStore, "get", get_before_it_goes)
    assert read_ending(store, plan.study, trial.id) is None


def test_a_trial_that_diverges_after_a_failure_keeps_nothing_of_it() -> None:
    assert ending_tags(Ending("FINISHED", 2, diverged=True), {}, is_first=False) == {
        "ablate.diverged": "true",
        "ablate.error_class": "diverged",
        **dict.fromkeys(("ablate.error", "ablate.error_where", "ablate.error_log"), ""),
    }
