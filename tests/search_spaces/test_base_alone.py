"""The base alone is the base of the study: its work has the same keys."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from search_spaces.base_alone import base_alone
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan
from search_spaces.study_files import load_study


def _keys(plan: Plan, arm: str) -> dict[int, list[str]]:
    return {trial.seed: list(trial.path) for trial in plan.trials if trial.arm == arm}


def test_base_alone_needs_the_nodes_that_the_study_needs_for_its_base() -> None:
    study = load_study("quickstart")
    alone = base_alone(study, "base", 4)
    whole, part = plan_study(study), plan_study(alone)
    assert (part.study, part.base, len(part.arms)) == ("quickstart-noise", "base", 1)
    assert part.seeds_by_arm() == {"base": (7, 8, 9, 10)}
    assert _keys(part, "base").items() >= _keys(whole, "base").items()
    assert part.arms[0].id == whole.arms[0].id


def test_base_alone_keeps_fewer_seeds_where_fewer_are_asked_for() -> None:
    study = load_study("quickstart", ["seeds=[3, 5, 8, 13]"])
    assert base_alone(study, "base", 3).seeds == {"default": (3, 5, 8)}


def test_base_alone_of_a_study_whose_sources_are_seeded_apart_keeps_its_replicates() -> None:
    study = load_study("quickstart", ["seeds={init: 7, order: [7, 8]}"])
    alone = base_alone(study, "base", 3)
    assert (alone.seeds["init"], alone.seeds["order"], alone.seeds["default"]) == ((7,), (7, 8, 9), (7, 8, 9))


def test_base_alone_is_written_as_a_study_of_its_own(tmp_path: Path) -> None:
    alone = base_alone(load_study("quickstart"), "base", 2)
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(alone.document.value, sort_keys=False))
    assert plan_study(load_study(str(file))).digest == plan_study(alone).digest
    assert "hypotheses" not in alone.document.value


@pytest.mark.parametrize(("n_seeds", "seeds"), [(2, (7, 8)), (6, (7, 8, 9, 10, 11, 12))])
def test_base_alone_begins_with_the_seeds_of_the_study(n_seeds: int, seeds: tuple[int, ...]) -> None:
    assert plan_study(base_alone(load_study("quickstart"), "base", n_seeds)).seeds_by_arm() == {"base": seeds}
