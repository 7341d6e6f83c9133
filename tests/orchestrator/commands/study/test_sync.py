"""`ablate sync --json`: what was sent, as one document; all else goes to standard error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.support.command_line import ablate
from tests.support.several_studies import declare
from tests.support.stored_studies import finish_trial
from trainables.storage import layout
from trainables.storage.store import LocalStore


def test_what_was_sent_is_one_document(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "storage")
    small = declare(store, "small", steps=(20,), seeds=(7,))
    (trial,) = small.plan.trials
    finish_trial(store, small.plan, trial, {each.name: np.ones(20) for each in small.plan.benchmarks})
    sent = ablate("sync", str(small.file), "--json", "--register-best", "best-of-small", storage=store.root)
    printed = json.loads(sent.stdout)
    assert printed["schema_version"] == 1
    assert printed["study"] == "small"
    assert printed["server"].endswith(layout.TRACKING_DATABASE)
    assert printed["points"] >= 0
    assert printed["registered"] == {"model": "best-of-small", "version": "1", "trial": trial.id}
    assert "points sent" in sent.stderr
