"""Claims about importing: runs become items that go together, and nothing is written over in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from orchestrator.items.check import checked_items
from orchestrator.items.files import read_items
from orchestrator.items.harnesses.contract import Choices
from orchestrator.items.harnesses.registry import HARNESSES
from orchestrator.items.import_runs import ImportedRun, import_runs
from search_spaces.errors import InputError
from tests.support.harness_files import (
    lmms_sample,
    pope_metrics,
    right_answers,
    write_lmms_run,
    write_samples,
    write_vlmevalkit_run,
)


def imported(source: Path, out: Path, arm: str = "base", seed: int = 1, **options: Any) -> tuple[ImportedRun, ...]:
    name = options.pop("kind", "lmms-eval")
    return import_runs([source], HARNESSES[name], arm, seed, Choices(), out, **options)


def test_runs_of_arms_and_seeds_become_one_folder_of_items(tmp_path: Path) -> None:
    for arm, accuracy in (("base", 0.5), ("a/b", 0.6)):
        for seed in (1, 2):
            write_lmms_run(tmp_path / arm / str(seed), accuracy, seed)
            imported(tmp_path / arm / str(seed), tmp_path / "items", arm, seed)
    items = checked_items(read_items([tmp_path / "items"]))
    assert {(arm, seed) for arm, seed, _ in items.cells} == {("base", 1), ("base", 2), ("a/b", 1), ("a/b", 2)}
    assert set(items.benchmarks) == {"pope", "mme"}
    assert items.cells["a/b", 2, "pope"].examples.scores.mean() == pytest.approx(0.6)
    assert sorted(file.name for file in (tmp_path / "items").iterdir())[0] == "a%2Fb.seed1.mme.parquet"


def test_the_same_again_changes_nothing_and_others_need_force(tmp_path: Path) -> None:
    write_lmms_run(tmp_path / "run", 0.5, 1)
    write_lmms_run(tmp_path / "other", 0.7, 1)
    out = tmp_path / "items"
    first = imported(tmp_path / "run", out)
    assert [run.was_there for run in first] == [False, False]
    assert [run.was_there for run in imported(tmp_path / "run", out)] == [True, True]
    with pytest.raises(InputError, match=r"base\.seed1\.mme\.parquet, .*base\.seed1\.pope\.parquet holds others"):
        imported(tmp_path / "other", out)
    assert pq.read_table(first[0].file)["score"].to_numpy().mean() == pytest.approx(0.5)
    assert imported(tmp_path / "other", out, force=True)[0].points == pytest.approx(70)
    assert pq.read_table(first[0].file)["score"].to_numpy().mean() == pytest.approx(0.7)


def _pope(folder: Path, n: int, shift: int = 0) -> Path:
    right = right_answers(0.5, 1, n)
    samples = [lmms_sample(i, r, pope_metrics(i, r)) for i, r in enumerate(right)]
    return write_samples(
        folder, "pope", [{**s, "target": samples[(i + shift) % n]["target"]} for i, s in enumerate(samples)]
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ((8, 0), "all arms and seeds must have the same ids, but base (seed 1) has 8, 9, which others lack"),
        ((10, 1), "reference: the reference of a question must be the same for all arms and seeds, but that of pope 0"),
    ],
)
def test_what_does_not_go_together_is_refused_when_it_comes(
    other: tuple[int, int], message: str, tmp_path: Path
) -> None:
    imported(_pope(tmp_path / "one", 10), tmp_path / "items")
    with pytest.raises(InputError) as raised:
        imported(_pope(tmp_path / "two", *other), tmp_path / "items", arm="other")
    assert message in str(raised.value)
    assert "1 file of items in it and these results do not go together" in str(raised.value)
    assert [file.name for file in (tmp_path / "items").iterdir()] == ["base.seed1.pope.parquet"]


def test_a_question_that_comes_twice_is_named_with_its_line(tmp_path: Path) -> None:
    path = _pope(tmp_path, 4)
    path.write_text(path.read_text() + path.read_text().splitlines()[2] + "\n")
    with pytest.raises(InputError, match=r"samples_pope\.jsonl:5: id: arm, seed, benchmark and id must come once"):
        imported(path, tmp_path / "items")
    assert not (tmp_path / "items").exists()


def test_two_files_of_one_benchmark_are_two_runs(tmp_path: Path) -> None:
    _pope(tmp_path / "runs" / "one", 4)
    _pope(tmp_path / "runs" / "two", 4)
    with pytest.raises(InputError, match=r"(?s)pope is in .*one.*another --seed"):
        imported(tmp_path / "runs", tmp_path / "items")
    with pytest.raises(InputError, match="must come with one file, but there are 2"):
        import_runs([tmp_path / "runs"], HARNESSES["lmms-eval"], "a", 1, Choices(benchmark="x"), tmp_path / "items")
    with pytest.raises(InputError, match="a folder must hold results per question as vlmevalkit calls them"):
        imported(tmp_path / "runs", tmp_path / "items", kind="vlmevalkit")


def test_a_run_of_vlmevalkit_names_its_images(tmp_path: Path) -> None:
    folder = write_vlmevalkit_run(tmp_path, "m", 0.6, 1)
    runs = {run.run.benchmark: run for run in imported(folder, tmp_path / "items", kind="vlmevalkit")}
    assert (runs["POPE"].n_images, runs["MMBench_DEV_EN"].n_images) == (27, None)
