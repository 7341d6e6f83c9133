"""`ablate diff`: in what two studies differ, and what the later one still needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from search_spaces.errors import InputError
from tests.support.command_line import SMALL
from trainables.storage import layout
from trainables.storage.store import LocalStore

EDITS = {
    "seeds": ("seeds: [7]", "seeds: [7, 8]"),
    "tokens": ("projector: [gelu-mlp, linear]", "vision.tokens: [4, 1]"),
    "epochs": ("epochs: 1", "epochs: 2"),
    "claim": ("seeds: [7]", "seeds: [7]\nhypotheses: [{id: c, claim: It is worse, "
              "pairs: [[base, projector=linear]], expect: worse}]"),
    "benchmark": ("benchmarks: easy-vqa", "benchmarks: [easy-vqa-shape]"),
}  # fmt: skip


def write(folder: Path, name: str, *edits: str) -> str:
    text = SMALL
    for edit in edits:
        old, new = EDITS[edit]
        assert old in text
        text = text.replace(old, new)
    (folder / name).write_text(text)
    return str(folder / name)


def diff(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["diff", *arguments], env={"COLUMNS": "200"})
    if isinstance(result.exception, InputError):
        raise result.exception
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def differing(folder: Path, *edits: str) -> dict[str, Any]:
    first, second = write(folder, "a.yaml"), write(folder, "b.yaml", *edits)
    shown: dict[str, Any] = json.loads(diff(first, second, "--storage", str(folder / "s"), "--json"))
    return shown


def test_a_study_does_not_differ_from_its_copy(tmp_path: Path) -> None:
    shown = differing(tmp_path)
    names = ("fields", "arms_added", "arms_removed", "arms_changed", "seeds", "benchmarks", "claims", "new_stages")
    assert [shown[name] for name in names] == [[]] * len(names)
    assert shown["counts"]["new"] == 2
    assert not (tmp_path / "s").exists()


def test_an_added_seed_is_a_change_of_all_arms_and_new_stages(tmp_path: Path) -> None:
    shown = differing(tmp_path, "seeds")
    assert shown["seeds"] == [{"name": "all arms", "first": [7], "second": [7, 8]}]
    assert len(shown["new_stages"]) == 2
    assert shown["to_train"]["stages"] == 4


def test_another_axis_is_an_arm_less_and_an_arm_more(tmp_path: Path) -> None:
    shown = differing(tmp_path, "tokens")
    assert (shown["arms_removed"], shown["arms_added"]) == (["projector=linear"], ["vision.tokens=1"])
    assert len(shown["new_stages"]) == 1


def test_a_field_of_the_base_makes_every_arm_another_model(tmp_path: Path) -> None:
    shown = differing(tmp_path, "epochs")
    assert shown["fields"] == [{"name": "base.epochs", "first": 1, "second": 2}]
    assert shown["arms_changed"] == ["base", "projector=linear"]


def test_claims_and_benchmarks_are_told_and_train_nothing_new(tmp_path: Path) -> None:
    shown = differing(tmp_path, "claim", "benchmark")
    assert [change["name"] for change in shown["claims"]] == ["c"]
    assert len(shown["benchmarks"]) == 3
    assert shown["new_stages"] == []


def test_a_study_is_compared_with_what_ran_last(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "s")
    store.put(layout.study_file("small"), SMALL.encode())
    shown = diff(write(tmp_path, "b.yaml", "claim", "seeds"), "--storage", str(tmp_path / "s"))
    assert "  seeds       all arms: 7 -> 7 8\n" in shown
    assert "  claims      + c: It is worse\n" in shown
    assert "  the same    fields, arms, benchmarks\n" in shown
    assert "4 new" in shown


def test_a_toy_form_is_compared_with_the_toy_run(tmp_path: Path) -> None:
    LocalStore(tmp_path / "s").put(layout.study_file("small-toy"), SMALL.encode())
    shown = json.loads(diff(write(tmp_path, "b.yaml", "seeds"), "--toy", "--storage", str(tmp_path / "s"), "--json"))
    assert (shown["first"], shown["second"]) == ("small-toy", "small-toy")
    assert len(shown["new_stages"]) == 2


def test_a_study_that_never_ran_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="storage must have a study 'small' to compare with"):
        diff(write(tmp_path, "a.yaml"), "--storage", str(tmp_path / "s"))


def test_a_study_on_storage_goes_by_its_name_in_every_command(tmp_path: Path) -> None:
    LocalStore(tmp_path).put(layout.study_file("small"), SMALL.encode())
    result = CliRunner().invoke(app, ["status", "small", "--storage", str(tmp_path)])
    assert result.stdout.startswith("small: 2 ")
    refused = CliRunner().invoke(app, ["status", "smal", "--storage", str(tmp_path)]).exception
    assert "Did you mean 'small'?" in str(refused)
