"""Files of scores are read as people have them, in points; what cannot be read is refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.analysis.score_table import ScoreTable, read_table
from search_spaces.claims import ColumnScale
from search_spaces.errors import InputError

PLAIN = {"theirs": {"vqav2": 76.8, "gqa": 62.3, "pope": 85.1}, "ours": {"vqav2": 77.1, "gqa": 62.6, "pope": 86.0}}
ROWS = [["model", "vqav2", "gqa", "pope"], ["theirs", "76.8", "62.3", "85.1"], ["ours", "77.1", "62.6", "86.0"]]


def read(tmp_path: Path, text: str | bytes, **declared: ColumnScale) -> ScoreTable:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(path, declared=declared)


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("m,a,b\nx,1\n", r"t\.csv:2: a line must have 3 cells"),
        ("m,a,b\nx,1,2\nx,1,2\n", r"t\.csv:3: .*'x' is there twice"),
        ("m,GQA,gqa\nx,1,2\n", r"t\.csv:1: a benchmark must be one column, but gqa"),
        ("m,a\nx,OOM\ny,7\n", r"t\.csv:2: a: a score must be a number, .* but got 'OOM'"),
        ("m,a\nx,inf\ny,7\n", r"t\.csv:2: a: a score must be a number"),
        ("m\nx\n", r"t\.csv: a table must have a header"),
        ("", r"t\.csv: a table must have a header"),
        ("model  gqa  pope\nx  60  80\n", r"separated by commas, semicolons, tabs, \| or &, .*'model  gqa  pope'"),
        ("m,a,b\nx,76,8,62,3\n", r"t\.csv:2: a line must have 3 cells as the header, separated by commas, but has 5"),
        ("m;a;b\nx;76,8;62.3\n", r"one decimal sign, but '62.3' has a point and '76,8' a comma"),
        ("m;a;b\nx;1,510;1,340\n", r"'1,510' is 1.510 or 1510"),
        ("<!doctype html><html>", r"is an HTML page"),
        ("benchmark,ours,theirs\ngqa,62,63\npope,85,86\n", "lines must be models and columns benchmarks"),
        (b"m,a\nx\xe9,7\n", r"must be UTF-8 text"),
    ],
)
def test_broken_table_is_refused_with_its_line(tmp_path: Path, csv: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, csv)


@pytest.mark.parametrize(
    "text",
    [
        *("\n".join(sign.join(row) for row in ROWS) for sign in (",", ";", "\t", "|", " & ")),
        "\n".join(";".join(row).replace(".", ",") for row in ROWS),
        "sep=;\n" + "\n".join(";".join(row) for row in ROWS),
        "# my results\n\n" + "\r\n".join(",".join(row) for row in ROWS) + "\n,,,\n",
        "\n".join("| " + " | ".join(row) + " |" for row in [ROWS[0], ["---", ":-:", "--:", "---"], *ROWS[1:]]),
        "\\toprule\n"
        + " \\\\\n".join(" & ".join(row) for row in ROWS).replace("77.1", "\\textbf{77.1}")
        + " \\\\ \\hline",
        "model,VQAv2 \u2191,**GQA**,POPE\ntheirs,76.8\u00b10.3,62.3%,85.1 (+0.2)\nours,**77.1**,62.6,86.0\u2020\n",
        ",model,vqav2,gqa,pope,\n0,theirs,76.8,62.3,85.1,\n1,ours,77.1,62.6,86.0,\n",
        "My results\nmodel;vqav2;gqa;pope\ntheirs;76,8;62,3;85,1\nours;77,1;62,6;86,0\n",
        "+---+---+\n| model | vqav2 | gqa | pope |\n|---+---+---+---|\n| theirs | 76.8 | 62.3 | 85.1 |\n"
        "| ours | 77.1 | 62.6 | 86.0 |\n+---+---+\n",
        "method,vqav2,gqa,pope\nname,acc,acc,F1\ntheirs,76.8,62.3,85.1\nours~\\cite{us},77.1 \U0001f947,62.6,86.0\n",
        "model,LLM,vqav2,gqa,pope\n,,acc,acc,F1\ntheirs,7B,76.8,62.3,85.1\nours,13B,77.1,62.6,86.0\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_table_is_the_same_in_every_form(tmp_path: Path, text: str, encoding: str) -> None:
    assert read(tmp_path, text.encode(encoding)).scores == PLAIN


def test_missing_cells_are_no_scores_in_any_spelling(tmp_path: Path) -> None:
    table = read(tmp_path, "m,a,b,c,d\nx,-,n/a,NaN,1.5\ny,50,60,70,20\n")
    assert table.scores["x"] == {"d": 1.5}


def test_text_sizes_and_lines_that_are_no_models_are_named(tmp_path: Path) -> None:
    table = read(tmp_path, "m,LLM,params (B),gqa\nHuman,,,89.3\nx,Vicuna,7,62\ny,Llama,13,63\n")
    assert table.counted == ("gqa",)
    assert set(table.comparable()) == {"x", "y"}
    notes = "\n".join(table.notes)
    assert "Left out: LLM holds no numbers ('Vicuna')." in notes
    assert "Left out: params (B), by name no score." in notes
    assert "Not in the pool of z-scores: Human" in notes


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (("1510.7", "1340.2"), "x goes up to 1510.7, and points end at 100; declare"),
        (("0.62", "0.63"), "x holds fractions"),
        (("0.62", "63.1"), "x has 0.62 beside 63.1: fractions beside percent"),
        (("-3", "4"), "x goes down to -3"),
        (("3.1", "4.2"), "x has nothing above 4.2"),
    ],
)
def test_column_that_is_no_points_is_refused_by_name(tmp_path: Path, column: tuple[str, str], reason: str) -> None:
    table = read(tmp_path, f"m,gqa,x,pope\na,62,{column[0]},85\nb,63,{column[1]},86\n")
    assert list(table.refused) == ["x"]
    assert reason in table.refused["x"]


def test_lower_is_better_is_declared_or_refused(tmp_path: Path) -> None:
    text = "m,gqa,chair_i\na,62,30\nb,63,20\n"
    assert "the better the lower" in read(tmp_path, text).refused["chair_i"]
    table = read(tmp_path, text, chair_i=ColumnScale(scale=100, better="lower"))
    assert [row["chair_i"] for row in table.scores.values()] == [70, 80]
    assert "chair_i counts as 100 - 100 x score / 100 points: lower is better, as declared." in table.notes
    arrow = read(tmp_path, text.replace("chair_i", "chair_i \u2193"))
    assert arrow.scores == table.scores


def test_declared_scale_makes_points_and_says_so(tmp_path: Path) -> None:
    table = read(tmp_path, "m,gqa,mme\na,62,1400\nb,63,2100\n", mme=ColumnScale(scale=2800))
    assert [row["mme"] for row in table.scores.values()] == [50, 75]
    assert "mme counts as 100 x score / 2800 points, as declared." in table.notes
    for declared, message in (({"mme": ColumnScale(scale=2000)}, "2100 does not"), ({"mne": ColumnScale()}, "'mme'")):
        with pytest.raises(InputError, match=message):
            read(tmp_path, "m,gqa,mme\na,62,1400\nb,63,2100\n", **declared)


def test_table_of_fractions_counts_a_hundredfold(tmp_path: Path) -> None:
    table = read(tmp_path, "m,gqa,pope\na,.62,.85\nb,.63,.86\n")
    assert table.scores["b"] == {"gqa": 63, "pope": 86}
    assert any("fractions" in note for note in table.notes)
