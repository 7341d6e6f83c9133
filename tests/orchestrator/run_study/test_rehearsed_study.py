"""A study whose shapes are rehearsed first, on a real cluster with the real libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import SMALL, ablate
from trainables.storage import layout
from trainables.storage.store import LocalStore

ARMS = """
arms:
  linear: {projector: linear}
  broken: {epochs: 2, resources: {deepspeed: {zero_optimization: {reduce_bucket_size: many}}}}
"""
"""DeepSpeed refuses the settings of the last arm, but not before its engine is built."""
STUDY = SMALL.replace("axes:\n  projector: [gelu-mlp, linear]\n", ARMS.lstrip()).replace(
    "easy-vqa\n", "[easy-vqa-shape]\n"
)


def _weights(store: LocalStore) -> dict[str, bytes]:
    return {name: store.get(name) for name in store.list("stages") if name.endswith(".safetensors")}


@pytest.mark.ray
def test_a_shape_that_cannot_run_blocks_its_own_trial_and_the_others_train_to_the_same_weights(tmp_path: Path) -> None:
    file, store, plain = tmp_path / "small.yaml", LocalStore(tmp_path / "s"), LocalStore(tmp_path / "plain")
    file.write_text(STUDY)
    command = ("run", str(file), "--toy", "--offline", "--json")

    rehearsed = ablate(*command, "--rehearse-only", storage=store.root, check=1)
    outcomes = {outcome["arm"]: outcome for outcome in json.loads(rehearsed.stdout)["rehearsals"]}
    assert {arm: outcome["failure"] is None for arm, outcome in outcomes.items()} == {
        "base": True,
        "linear": True,
        "broken": False,
    }
    assert outcomes["broken"]["failure"]["kind"] == "error"
    assert "reduce_bucket_size" in store.get(outcomes["broken"]["failure"]["log"]).decode()
    assert _weights(store) == {}

    whole = ablate(*command, "--rehearsal", storage=store.root, check=1)
    report = json.loads(whole.stdout)
    assert [outcome["arm"] for outcome in report["rehearsals"]] == ["broken"]
    assert (report["counts"]["done"], report["counts"]["failed"]) == (2, 1)
    assert "NOT STARTED (error)" in whole.stderr
    assert store.list(layout.SCRATCH) == []

    ablate(*command, storage=plain.root, check=1)
    assert _weights(store) == _weights(plain) != {}
