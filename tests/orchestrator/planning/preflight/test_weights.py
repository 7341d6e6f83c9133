"""Preflight checks weights beside reading data, and tells when there is time for something else."""

from __future__ import annotations

from pathlib import Path

from orchestrator.planning.preflight import preflight
from tests.support.hub_checkpoints import encoder_spec
from tests.support.tiny_specs import trial_spec
from trainables.storage.store import LocalStore


def test_there_is_time_for_something_else_only_where_weights_are_checked_for_the_first_time(tmp_path: Path) -> None:
    spec, store, said = trial_spec(vision=encoder_spec("clip", tmp_path)), LocalStore(tmp_path / "storage"), list[str]()
    for _ in range(2):
        preflight([spec], [], store, tmp_path, said.append, lambda: said.append("something else"))
    weights, *sources, last = said[1:]
    assert weights == "checking the weights of tiny"
    assert [line.split()[0] for line in sources] == ["reading"] * len(sources) != []
    assert last == "something else"
