"""`ablate score`, as a user has it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.official_files.vqav2 import write_vqav2

ROOT = Path(__file__).parents[3]


def ablate(*arguments: str, check: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    command = [sys.executable, "-m", "orchestrator", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=120)
    assert done.returncode == check, done.stderr + done.stdout
    return done


def predictions(folder: Path, answers: dict[str, Any]) -> str:
    file = folder / "predictions.jsonl"
    file.write_text("".join(json.dumps({"id": name, "prediction": text}) + "\n" for name, text in answers.items()))
    return str(file)


@pytest.fixture
def vqav2(tmp_path: Path) -> Path:
    write_vqav2(tmp_path / "set")
    return tmp_path


def test_score_as_json_has_the_fixed_fields_and_writes_the_rows(vqav2: Path) -> None:
    made = predictions(vqav2, {"2": "two", "0": "Red", "1": "no"})
    rows = vqav2 / "rows.parquet"
    options = ["--predictions", made, "--per-example", str(rows), "--seed", "7", "--json"]
    shown = json.loads(ablate("score", "vqav2", "--references", str(vqav2 / "set"), *options).stdout)
    assert (shown["benchmark"], shown["protocol"], shown["n"], shown["unparsable"]) == ("vqav2", "official", 3, 0)
    assert shown["headline"] == "accuracy"
    # "Red" against ten times "red": both stay as they are; "no" 9 of 10... is the majority; "two" is "2", of two others
    assert shown["metrics"]["accuracy"] == pytest.approx(100 * (0 + 1 + 0.6) / 3)
    table = pq.read_table(rows)
    assert table.column_names == ["id", "cluster", "prediction", "parsed", "score"]
    assert table["id"].to_pylist() == ["0", "1", "2"]
    assert table["parsed"].to_pylist() == ["Red", "no", "2"]
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert metadata == {"benchmark": "vqav2", "protocol": "official", "model digest": "", "seed": "7"}


def test_references_may_be_files_in_any_order_and_of_any_name(vqav2: Path) -> None:
    files = sorted((vqav2 / "set").iterdir())
    renamed = [file.rename(file.with_name(f"{number}.json")) for number, file in enumerate(files)]
    made = predictions(vqav2, {"0": "red", "1": "no", "2": "two"})
    for order in (renamed, renamed[::-1]):
        references = [word for file in order for word in ("--references", str(file))]
        shown = json.loads(ablate("score", "vqav2", *references, "--predictions", made, "--json").stdout)
        assert shown["n"] == 3


def test_results_file_of_the_benchmarks_server_is_read_and_said(vqav2: Path) -> None:
    rows = [{"question_id": n, "answer": answer} for n, answer in enumerate(["red", "no", "two"])]
    (vqav2 / "results.json").write_text(json.dumps(rows))
    options = ["--references", str(vqav2 / "set"), "--predictions"]
    plain = predictions(vqav2, {"0": "red", "1": "no", "2": "two"})
    own, official = (
        json.loads(ablate("score", "vqav2", *options, path, "--json").stdout)
        for path in (plain, str(vqav2 / "results.json"))
    )
    assert official["metrics"] == own["metrics"]
    assert set(official["warnings"]) - set(own["warnings"]) == {
        "results.json: answers are read from answer, and joined by question_id"
    }


def test_gzipped_references_and_predictions_score_as_plain_ones(vqav2: Path) -> None:
    made = predictions(vqav2, {"0": "red", "1": "no", "2": "two"})
    options = ["--references", str(vqav2 / "set"), "--predictions"]
    plain = ablate("score", "vqav2", *options, made, "--json").stdout
    for file in [*(vqav2 / "set").iterdir(), Path(made)]:
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert ablate("score", "vqav2", *options, f"{made}.gz", "--json").stdout == plain


def test_wrong_ids_exit_2_with_all_of_them(vqav2: Path) -> None:
    made = predictions(vqav2, {"0": "red", "9": "x"})
    done = ablate("score", "vqav2", "--references", str(vqav2 / "set"), "--predictions", made, check=2)
    assert "2 missing: 1, 2" in done.stderr
    assert "1 extra: 9" in done.stderr


def test_unknown_names_exit_2_with_the_legal_ones(vqav2: Path) -> None:
    options = ["--references", str(vqav2 / "set"), "--predictions", predictions(vqav2, {})]
    assert "Did you mean 'vqav2'" in ablate("score", "vqa2", *options, check=2).stderr
    done = ablate("score", "vqav2", *options, "--protocol", "llava", check=2)
    assert "official, official_2016, prismatic, lmms, vlmevalkit" in done.stderr


def test_the_human_view_names_the_metric_the_unit_and_the_counts(vqav2: Path) -> None:
    made = predictions(vqav2, {"0": "red", "1": "no", "2": "two"})
    shown = ablate("score", "vqav2", "--references", str(vqav2 / "set"), "--predictions", made).stdout
    assert "accuracy" in shown
    assert "points" in shown
    assert "n = 3, unparsable 0" in shown


def test_rows_are_written_beside_what_is_read_and_never_over_it(vqav2: Path) -> None:
    made = predictions(vqav2, {"0": "red", "1": "no", "2": "two"})
    options = ["score", "vqav2", "--references", str(vqav2 / "set"), "--predictions", made, "--per-example"]
    before = Path(made).read_bytes()
    for place, words in ((made, "a file that is read"), (vqav2, "is a folder"), (vqav2 / "no" / "r.parquet", "is not")):
        assert f"--per-example: must {words}"[:20] in (told := ablate(*options, str(place), check=2).stderr)
        assert words in told
    assert Path(made).read_bytes() == before
    assert {file.name for file in vqav2.iterdir()} == {"set", "predictions.jsonl"}


@pytest.mark.parametrize("is_copy", [False, True])
def test_references_are_no_predictions(tmp_path: Path, is_copy: bool) -> None:
    rows = [{"id": n, "image": "a.png", "question": "What?", "answer": "red"} for n in range(3)]
    mine, given = tmp_path / "mine.jsonl", tmp_path / "given.jsonl"
    for file in (mine, given):
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ["--references", str(mine), "--predictions", str(given if is_copy else mine)]
    assert "--predictions: must be predictions, but" in ablate("score", "exact", *options, check=2).stderr
