"""Claims about VLMEvalKit's scored tables: scores, images and the dataset are read as it writes them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.items.harnesses.contract import Choices
from orchestrator.items.harnesses.vlmevalkit import HARNESS, read
from search_spaces.errors import InputError
from tests.support.harness_files import choice_rows, write_table, write_vlmevalkit_run, yes_no_rows


@pytest.mark.parametrize("ending", ["xlsx", "tsv", "json"])
def test_files_of_a_run_are_found_and_read_whatever_their_format(ending: str, tmp_path: Path) -> None:
    folder = write_vlmevalkit_run(tmp_path, "llava_v1.5_7b", 0.6, 1, ending)
    choice, yes_no = (read(path, Choices())[0] for path in sorted(folder.iterdir()) if HARNESS.is_result(path))
    assert (choice.benchmark, choice.metric, choice.cluster) == ("MMBench_DEV_EN", "hit", None)
    assert [q.score for q in choice.questions] == [row["hit"] for row in choice_rows(0.6, 1)]
    assert choice.questions[0][1:] == ("0", choice.questions[0].score, None, choice.questions[0].prediction, "A")
    assert (yes_no.benchmark, yes_no.metric, yes_no.cluster) == ("POPE", "score", "image_path")
    assert [q.score for q in yes_no.questions] == [float(row["score"]) for row in yes_no_rows(0.6, 1)]
    assert [q.cluster for q in yes_no.questions[2:4]] == [f"COCO_val2014_{n:012d}.jpg" for n in (0, 1)]


def test_pictures_in_the_file_are_images_by_their_content(tmp_path: Path) -> None:
    pictures = {0: "A" * 100, 1: "0", 2: "B" * 100}  # the second question is about the picture of the first
    rows = [{**row, "image": pictures[row["index"]]} for row in choice_rows(0.5, 1, 3)]
    run = read(write_table(tmp_path / "m" / "m_X_result.json", rows), Choices())[0]
    first, second, third = (question.cluster for question in run.questions)
    assert first == second != third
    assert len(first or "") == 16


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("m_MMBench_DEV_EN_exact_matching_result.xlsx", "MMBench_DEV_EN"),
        ("m_SEEDBench_IMG_openai_result.xlsx", "SEEDBench_IMG"),
        ("m_MathVista_MINI_gpt-4-turbo_score.xlsx", "MathVista_MINI"),
        ("m_ChartQA_TEST_results.xlsx", "ChartQA_TEST"),
    ],
)
def test_the_dataset_is_what_stands_between_model_and_judge(name: str, dataset: str, tmp_path: Path) -> None:
    path = write_table(tmp_path / "m" / "T1" / name, choice_rows(0.5, 1, 4))
    assert read(path, Choices())[0].benchmark == dataset
    alone = write_table(tmp_path / "elsewhere" / name, choice_rows(0.5, 1, 4))
    with pytest.raises(InputError, match="--benchmark: must be given: it does not follow from the file's name"):
        read(alone, Choices())


def test_predictions_without_scores_are_refused_with_a_way_out(tmp_path: Path) -> None:
    folder = write_vlmevalkit_run(tmp_path, "m", 0.5, 1)
    path = folder / "m_MMBench_DEV_EN.xlsx"
    assert not HARNESS.is_result(path)
    with pytest.raises(InputError, match="must have one of the columns hit, score, eval_score") as raised:
        read(path, Choices())
    assert "Predictions alone have no scores" in str(raised.value)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("hit", "maybe", "m_X_result.xlsx:3: hit: must be a number, but is 'maybe'"),
        ("hit", None, "m_X_result.xlsx:3: hit: must be a number, but is ''"),
        ("index", None, "m_X_result.xlsx:3: index: must be given"),
    ],
)
def test_cells_that_are_no_scores_are_named(column: str, value: object, message: str, tmp_path: Path) -> None:
    rows = choice_rows(0.5, 1, 4)
    rows[1][column] = value
    with pytest.raises(InputError) as raised:
        read(write_table(tmp_path / "m" / "m_X_result.xlsx", rows), Choices())
    assert message in str(raised.value)


def test_without_openpyxl_a_workbook_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_table(tmp_path / "m" / "m_X_result.xlsx", choice_rows(0.5, 1, 4))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"pip install 'ablate-vlm\[tables\]'"):
        read(path, Choices())
