"""Two studies are compared arm by arm and stage by stage; `ablate diff` shows it (commands/test_diff.py)."""

from __future__ import annotations

from pathlib import Path

from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import known_digests
from orchestrator.planning.study_difference import Change, StudyDifference, compare_studies
from search_spaces.plan import Plan
from search_spaces.study import Study
from search_spaces.study_files import load_study
from tests.support.command_line import SMALL
from trainables.storage.store import LocalStore

AXES = "axes:\n  projector: [gelu-mlp, linear]\n"
NAMED = "arms:\n  flat: {projector: linear}\n  fused: {projector: fused-gelu-mlp}\n"


def planned(folder: Path, text: str) -> tuple[Study, Plan]:
    (folder / "study.yaml").write_text(text)
    study, options = load_study(str(folder)), PlanOptions(folder / "storage", folder / "data")
    return study, plan(expand(study, options), options, known_digests(LocalStore(options.storage)))


def difference(folder: Path, first: str, second: str) -> StudyDifference:
    return compare_studies(planned(folder, first), planned(folder, second))


def test_an_arm_of_another_name_is_the_same_model(tmp_path: Path) -> None:
    assert AXES in SMALL
    renamed = difference(tmp_path, SMALL, SMALL.replace(AXES, NAMED))
    assert renamed.arms_renamed == (Change("projector=linear", "projector=linear", "flat"),)
    assert (renamed.arms_removed, renamed.arms_added) == ((), ("fused",))
    assert len(renamed.new_stages) == 1
