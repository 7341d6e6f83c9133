"""A finished study that is edited runs only what is new in it; a dry run says so and leaves no trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.command_line import ablate

FILE = """
study: edited
question: Does it run only what is new?
base:
  vision: {{backbone: efficientnet-lite0, resolution: 64}}
  projector: gelu-mlp
  language: llama-2x96
  stages: [finetune]
  epochs: 1
  data: easy-vqa-1500
recipe: quickstart
axes:
  projector: [{projectors}]
seeds: [{seeds}]
benchmarks: [{benchmarks}]
"""


class Results(NamedTuple):
    """Results on storage, by their names, with the time of their last change."""

    stages: dict[str, int]
    evaluations: dict[str, int]
    trials: dict[str, int]


def _results(storage: Path) -> Results:
    patterns = ("stages/*/result.json", "evaluations/*/*.json", "studies/*/trials/*/result.json")
    return Results(*({str(file): file.stat().st_mtime_ns for file in storage.glob(pattern)} for pattern in patterns))


def _added(before: dict[str, int], after: dict[str, int]) -> int:
    """Count the results that were added; those that were there are there as they were."""
    assert before.items() <= after.items()
    return len(after) - len(before)


def _snapshot(folder: Path) -> list[tuple[str, int, int]]:
    stats = [(str(path), path.stat()) for path in (folder, *folder.rglob("*"))]
    return sorted((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def _edit(file: Path, projectors: str = "gelu-mlp", seeds: str = "7", benchmarks: str = "easy-vqa-shape") -> None:
    file.write_text(FILE.format(projectors=projectors, seeds=seeds, benchmarks=benchmarks))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a study of one arm, one seed and one benchmark."""
    file = tmp_path / "edited.yaml"
    _edit(file)
    return file


def _run(file: Path, storage: Path, *options: str) -> dict[str, Any]:
    """Run the study at toy size, and return the difference that it began with."""
    done = ablate("run", str(file), "--toy", "--offline", "--json", *options, storage=storage)
    difference: dict[str, Any] = json.loads(done.stdout)["difference"]
    return difference


@pytest.mark.ray
def test_an_arm_a_seed_and_a_benchmark_that_are_added_to_a_finished_study_are_all_that_is_run(
    file: Path, tmp_path: Path
) -> None:
    storage = tmp_path / "s"
    assert _run(file, storage)["counts"]["new"] == 1
    results = [_results(storage)]
    assert tuple(map(len, results[0])) == (1, 1, 1)

    _edit(file, "gelu-mlp, linear")
    before = _snapshot(storage)
    shown = ablate("run", str(file), "--toy", "--dry-run", storage=storage).stdout
    assert "1 new, 1 unchanged" in shown
    assert "projector-linear-s7" in shown
    assert _snapshot(storage) == before
    assert _run(file, storage)["counts"]["new"] == 1
    results.append(_results(storage))
    assert (_added(results[0].stages, results[1].stages), _added(results[0].evaluations, results[1].evaluations)) == (
        1,
        1,
    )

    _edit(file, "gelu-mlp, linear", "7, 8")
    assert _run(file, storage, "--only", "projector=linear")["todo"]["trials"] == 1
    status = json.loads(ablate("status", str(file), "--toy", "--json", storage=storage).stdout)
    assert (status["counts"]["done"], sum(status["counts"].values())) == (3, 4)
    assert _run(file, storage)["todo"]["stages"] == 1
    results.append(_results(storage))
    assert (_added(results[1].stages, results[2].stages), _added(results[1].evaluations, results[2].evaluations)) == (
        2,
        2,
    )

    _edit(file, "gelu-mlp, linear", "7, 8", "easy-vqa-shape, easy-vqa-color")
    difference = _run(file, storage)
    assert difference["counts"]["changed"] == 4
    assert {cause["about"] for trial in difference["trials"] for cause in trial["causes"]} == {"easy-vqa-color"}
    results.append(_results(storage))
    assert (_added(results[2].stages, results[3].stages), _added(results[2].evaluations, results[3].evaluations)) == (
        0,
        4,
    )

    _edit(file)
    difference = _run(file, storage)
    assert (len(difference["gone"]), difference["gone_benchmarks"]) == (3, ["easy-vqa-color"])
    assert difference["todo"]["trials"] == 0
    assert _results(storage) == results[3]


def test_a_dry_run_of_a_study_that_never_ran_makes_no_storage(file: Path, tmp_path: Path) -> None:
    done = ablate("run", str(file), "--toy", "--dry-run", storage=tmp_path / "s")
    assert "To be read first" in done.stdout
    assert "Nothing was run." in done.stdout
    assert not (tmp_path / "s").exists()


def test_a_dry_run_names_every_stage_as_json(file: Path, tmp_path: Path) -> None:
    shown = json.loads(ablate("run", str(file), "--toy", "--dry-run", "--json", storage=tmp_path / "s").stdout)
    assert [(node["kind"], node["steps"]) for node in shown["work"] if node["kind"] == "stage"] == [("stage", 3)]
    assert [trial["is_run"] for trial in shown["difference"]["trials"]] == [True]
