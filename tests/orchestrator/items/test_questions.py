"""Questions of scores made elsewhere are judged like those of a study; labels where the table has predictions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from typer.testing import CliRunner

from measurements.questions import Setting, draw
from orchestrator.cli import app
from orchestrator.items.check import checked_items
from orchestrator.items.files import read_items
from orchestrator.items.questions import judge_item_questions


def write_items(folder: Path, *, with_predictions: bool = True) -> np.ndarray:
    """Write a table of ten arms with three seeds on 300 questions; return which labels are wrong."""
    responses, answers_TQ, is_wrong_Q = draw(Setting(n_questions=300, wrong=0.05), 1)
    n_trials, n = responses.scores_TQ.shape
    columns = {
        "arm": np.repeat(responses.arms, n),
        "seed": np.repeat(np.arange(n_trials) % 3, n),
        "benchmark": ["set"] * n_trials * n,
        "id": list(responses.ids) * n_trials,
        "score": responses.scores_TQ.ravel().astype(float),
    }
    if with_predictions:
        columns["prediction"] = [" ABCD"[1 + answer] + "." for answer in answers_TQ.ravel()]
    pq.write_table(pa.table(columns), folder / "items.parquet")
    return is_wrong_Q


def test_planted_wrong_labels_are_doubted(tmp_path: Path) -> None:
    is_wrong_Q = write_items(tmp_path)
    questions = next(judge_item_questions(checked_items(read_items([tmp_path / "items.parquet"]))))
    assert questions.analysis is not None
    assert (questions.analysis.n_arms, questions.analysis.n_trials) == (10, 30)
    first = questions.suspects[:8]
    assert sum(is_wrong_Q[int(suspect.id.removeprefix("q"))] for suspect in first) >= 7
    assert first[0].answer == "a"


def test_table_without_predictions_doubts_no_label_and_says_why(tmp_path: Path) -> None:
    write_items(tmp_path, with_predictions=False)
    command = ["questions", "--items", str(tmp_path / "items.parquet")]
    text = CliRunner().invoke(app, command).stdout
    assert "No label is doubted: it takes answers of 3 arms above the median of all." in " ".join(text.split())
    benchmark = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)["benchmarks"][0]
    assert len(benchmark["questions"]) == 300
    assert len(benchmark["informative"]["ids"]) == 75
