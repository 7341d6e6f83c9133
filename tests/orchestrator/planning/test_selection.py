"""`--only` selects trials by arms, axes and values, and says what a misspelt name could mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.planning.selection import selected_trials
from search_spaces.errors import InputProblemsError
from search_spaces.expansion.expand import Expansion, expand_study
from search_spaces.study_files import load_study
from tests.support.small_studies import BASE

AXES = "axes: {epochs: [1, 2], projector: [gelu-mlp, linear]}\nseeds: [7, 8]\n"
NAMED = "arms: {long: {epochs: 5}}\n"
"""A named arm whose value no axis lists: it is no point of an axis, and goes by its name."""


def _expansion(folder: Path, text: str) -> Expansion:
    path = folder / "study.yaml"
    path.write_text(BASE + text)
    return expand_study(load_study(str(path)))


def _arms(expansion: Expansion, *names: str, limit: int | None = None) -> list[str]:
    selected = selected_trials(expansion, names, limit)
    trials = [trial for drafts in expansion.trials for trial in drafts]
    assert selected <= {trial.id for trial in trials}
    return list(dict.fromkeys(trial.arm for trial in trials if trial.id in selected))


@pytest.mark.parametrize(
    ("names", "arms"),
    [
        ((), ["base", "epochs=2", "projector=linear", "long"]),
        (("long",), ["long"]),
        (("epochs=2", "long"), ["epochs=2", "long"]),
        (("epochs",), ["base", "epochs=2"]),
        (("projector=gelu-mlp",), ["base", "epochs=2"]),
    ],
)
def test_only_selects_arms_axes_and_values(tmp_path: Path, names: tuple[str, ...], arms: list[str]) -> None:
    assert _arms(_expansion(tmp_path, AXES + NAMED), *names) == arms


def test_only_an_axis_of_a_grid_selects_the_arms_that_differ_along_it_alone(tmp_path: Path) -> None:
    expansion = _expansion(tmp_path, AXES + "design: grid\n")
    assert _arms(expansion, "epochs") == ["base", "epochs=2"]
    assert _arms(expansion, "epochs=2") == ["epochs=2", "epochs=2,projector=linear"]


def test_only_a_zipped_axis_selects_the_arms_in_which_it_varies(tmp_path: Path) -> None:
    expansion = _expansion(tmp_path, AXES + "zip: [[epochs, projector]]\n")
    assert _arms(expansion, "epochs") == ["base", "epochs=2,projector=linear"]


def test_only_selects_among_the_first_trials_where_these_are_limited(tmp_path: Path) -> None:
    expansion = _expansion(tmp_path, AXES)
    assert len(selected_trials(expansion, ("epochs",), limit=3)) == 3
    assert len(selected_trials(expansion, (), limit=3)) == 3


def test_only_refuses_unknown_names_together_and_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputProblemsError) as caught:
        selected_trials(_expansion(tmp_path, AXES), ("epoch", "projector=lineer", "xyz"))
    ways_out = [problem.way_out for problem in caught.value.problems]
    assert ways_out[:2] == ["Did you mean 'epochs'?", "Did you mean 'projector=linear'?"]
    assert ways_out[2] == "There are: base, epochs=2, projector=linear, epochs, projector, epochs=1, projector=gelu-mlp"
