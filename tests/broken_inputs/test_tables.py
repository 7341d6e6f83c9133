"""Tables of scores over separator x scale x direction x means x damage: the plain points, or refused by name."""

from __future__ import annotations

import math
import statistics
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.analysis.score_table import ScoreTable, cell_differences, read_table
from orchestrator.analysis.verdict_model import Refusal
from search_spaces.claims import ColumnScale, RowScale
from search_spaces.errors import InputError
from tests.support.broken_inputs import tries

NAMES = ("gqa", "vqav2", "pope", "my-set", "AI2D-mask", "zs")
MODELS = ("theirs", "ours", "llava-1.5+7b", "A (13B)")


@dataclass(frozen=True)
class Plain:
    """Scores in points, with one decimal."""

    columns: tuple[str, ...]
    rows: dict[str, list[float]]


@st.composite
def plain_tables(draw: st.DrawFn) -> Plain:
    columns = draw(st.lists(st.sampled_from(NAMES), min_size=3, max_size=5, unique=True))
    models = draw(st.lists(st.sampled_from(MODELS), min_size=3, max_size=4, unique=True))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    levels = random.uniform(30, 80, len(columns))
    moved = {model: levels + random.normal(0, 4, len(columns)) for model in models}
    rows = {model: [round(score, 1) for score in scores] for model, scores in moved.items()}
    return Plain(tuple(columns), rows)


def pointed(value: float) -> str:
    return f"{value:.1f}"


def comma(value: float) -> str:
    return f"{value:.1f}".replace(".", ",")


CELLS: dict[str, Callable[[float], str]] = {
    "plain": pointed,
    "percent": lambda value: f"{value:.1f}%",
    "spread": lambda value: f"{value:.1f} \u00b1 0.3",
    "gain": lambda value: f"{value:.1f} \u2191 1.3",
    "bold": lambda value: f"**{value:.1f}**",
    "two decimals": lambda value: f"{value:.2f}",
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le")


def cells_of(table: Plain, shown: Callable[[float], str]) -> list[list[str]]:
    return [["model", *table.columns], *([model, *map(shown, row)] for model, row in table.rows.items())]


def joined(rows: list[list[str]], separator: str) -> str:
    if separator == "markdown":
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]) + "\n"
    if separator == "latex":
        return "\\toprule\n" + "".join(" & ".join(row) + " \\\\\n" for row in rows) + "\\bottomrule\n"
    return "\n".join(separator.join(row) for row in rows) + "\n"


def read(folder: Path, text: str, encoding: str = "utf-8", **declared: ColumnScale) -> ScoreTable:
    path = folder / "t.csv"
    path.write_bytes(text.encode(encoding))
    return read_table(path, declared=declared)


def points(table: ScoreTable) -> dict[str, dict[str, float]]:
    return {
        model: {name: pytest.approx(row[name]) for name in table.counted if name in row}
        for model, row in table.scores.items()
    }


def expected(table: Plain) -> dict[str, dict[str, float]]:
    return {model: dict(zip(table.columns, row, strict=True)) for model, row in table.rows.items()}


FORMS = st.one_of(
    st.tuples(st.sampled_from([",", ";", "\t", "|", "markdown", "latex"]), st.sampled_from(list(CELLS.values()))),
    st.tuples(st.sampled_from([";", "\t", "|", "markdown", "latex"]), st.just(comma)),
)


@tries("tables")
@given(table=plain_tables(), form=FORMS, encoding=st.sampled_from(ENCODINGS), comment=st.sampled_from(["", "# mine\n"]))
def test_every_form_has_the_points_of_the_plain_one(
    tmp_path: Path, table: Plain, form: tuple[str, Callable[[float], str]], encoding: str, comment: str
) -> None:
    separator, shown = form
    assert points(read(tmp_path, comment + joined(cells_of(table, shown), separator), encoding)) == expected(table)


BESIDE = ("_n", " (hi)", "_lo", " unparsable", " yes ratio", "_stderr", ".std", " +-", "-rank", ".ci95", "_ci_95_hi")
"""What follows a benchmark's name in the name of a number that goes with its score."""


@tries("tables")
@given(table=plain_tables(), data=st.data(), separator=st.sampled_from([",", ";", "\t", "markdown"]))
def test_means_sums_sizes_and_words_never_count(
    tmp_path: Path, table: Plain, data: st.DataObject, separator: str
) -> None:
    rows = cells_of(table, pointed)
    kind = data.draw(
        st.sampled_from(["mean", "some", "sum", "same", "size", "words", "geometric", "harmonic", "beside"])
    )
    name = data.draw(st.text(string.ascii_lowercase, min_size=9, max_size=12)) if kind in ("mean", "sum") else "avg"
    name = {"geometric": "geomean", "harmonic": "hmean (all)"}.get(kind, name)
    some = data.draw(st.lists(st.integers(0, len(table.columns) - 1), min_size=2, unique=True))
    for row, scores in zip(rows[1:], table.rows.values(), strict=True):
        mean, part = sum(scores) / len(scores), sum(scores[i] for i in some) / len(some)
        shown = {"mean": f"{mean:.2f}", "some": f"{part:.2f}", "sum": f"{sum(scores):.1f}", "same": f"{scores[0]:.1f}"}
        means = {
            "geometric": f"{statistics.geometric_mean(scores):.2f}",
            "harmonic": f"{statistics.harmonic_mean(scores):.2f}",
        }
        row.append({**shown, **means, "size": "7", "words": "Vicuna", "beside": "41.5"}[kind])
    beside = f"{table.columns[0]}{data.draw(st.sampled_from(BESIDE))}"
    rows[0].append({"size": "train hours", "words": "LLM", "same": "again", "beside": beside}.get(kind, name))
    at = data.draw(st.integers(1, len(rows[0]) - 1)) if kind != "same" else len(rows[0]) - 1
    moved = [[*row[:at], row[-1], *row[at:-1]] for row in rows]
    read_back = read(tmp_path, joined(moved, separator))
    assert points(read_back) == expected(table)
    assert any(rows[0][-1] in note for note in read_back.notes)


@tries("tables")
@given(table=plain_tables(), data=st.data())
def test_other_scales_and_directions_are_refused_by_name_or_declared(
    tmp_path: Path, table: Plain, data: st.DataObject
) -> None:
    rows = cells_of(table, pointed)
    column = data.draw(st.integers(0, len(table.columns) - 1))
    scale, better = data.draw(
        st.sampled_from([(2800.0, "higher"), (1.0, "higher"), (1000.0, "higher"), (100.0, "lower")])
    )
    name = "chair_s" if better == "lower" else table.columns[column]
    rows[0][1 + column] = name
    for row, scores in zip(rows[1:], table.rows.values(), strict=True):
        share = scores[column] / 100
        row[1 + column] = f"{(1 - share if better == 'lower' else share) * scale:.{3 if scale < 100 else 1}f}"
    text = joined(rows, ",")
    pair = [tuple(table.rows)[:2]]
    silent = read(tmp_path, text)
    refusal = cell_differences(silent, pair, silent.counted, "points")
    assert isinstance(refusal, Refusal)
    assert any(name in reason for reason in refusal.reasons)
    declared = read(tmp_path, text, **{name: ColumnScale(scale=scale, better=better)})
    wanted = {
        m: {(name if c == table.columns[column] else c): v for c, v in r.items()} for m, r in expected(table).items()
    }
    for model, row in declared.scores.items():
        assert row == pytest.approx(wanted[model], abs=0.06)
    assert any(name in note for note in declared.notes)


@tries("tables")
@given(table=plain_tables(), data=st.data(), unit=st.sampled_from([1.0, 1000.0]))
def test_line_in_another_unit_is_refused_by_name_or_declared(
    tmp_path: Path, table: Plain, data: st.DataObject, unit: float
) -> None:
    rows = cells_of(table, pointed)
    line = data.draw(st.integers(1, len(rows) - 1))
    odd, *others = [row[0] for row in (rows[line], *rows[1:line], *rows[line + 1 :])]
    rows[line][1:] = [f"{score / 100 * unit:.{3 if unit == 1 else 0}f}" for score in table.rows[odd]]
    text = joined(rows, ",")
    silent = read(tmp_path, text)
    refusal = cell_differences(silent, [(others[0], odd)], silent.counted, "points")
    assert isinstance(refusal, Refusal)
    assert refusal.reasons[0].startswith(f"{odd} has ")
    assert not isinstance(cell_differences(silent, [(others[0], others[1])], silent.counted, "points"), Refusal)
    assert odd not in silent.comparable()
    declared = read_table(tmp_path / "t.csv", rows={odd: RowScale(scale=unit)})
    assert declared.scores[odd] == pytest.approx(expected(table)[odd], abs=0.06)
    assert not isinstance(cell_differences(declared, [(others[0], odd)], declared.counted, "points"), Refusal)


@tries("tables")
@given(table=plain_tables(), data=st.data(), level=st.sampled_from([0.0, 0.02, 0.1, 1.4]))
def test_model_that_fails_or_excels_is_no_line_in_another_unit(
    tmp_path: Path, table: Plain, data: st.DataObject, level: float
) -> None:
    rows = cells_of(table, pointed)
    line = data.draw(st.integers(1, len(rows) - 1))
    rows[line][1:] = [f"{max(score * level, 1.1 * (level > 0)):.1f}" for score in table.rows[rows[line][0]]]
    if all(float(cell) <= 100 for cell in rows[line][1:]):
        assert read(tmp_path, joined(rows, ",")).odd_rows == {}


DAMAGES = (
    "missing",
    "word",
    "twice",
    "short",
    "long",
    "both signs",
    "header twice",
    "cut",
    "two scales",
    "model twice",
    "model in capitals",
    "model with an unseen sign",
    "no header",
)


@tries("tables")
@given(
    table=plain_tables(), damage=st.sampled_from(DAMAGES), data=st.data(), separator=st.sampled_from([",", ";", "\t"])
)
def test_damage_is_named_where_it_is(
    tmp_path: Path, table: Plain, damage: str, data: st.DataObject, separator: str
) -> None:
    rows = cells_of(table, pointed)
    line = data.draw(st.integers(1, len(rows) - 1))
    column = data.draw(st.integers(1, len(rows[0]) - 1))
    match damage:
        case "missing":
            rows[line][column] = data.draw(st.sampled_from(["", "-", "n/a", "NaN", "\u2014"]))
        case "word":
            rows[line][column] = data.draw(st.sampled_from(["OOM", "7x", "1/2", "inf", "12:30", "1.2.3"]))
        case "twice":
            rows[0][column] = rows[0][1 + column % (len(rows[0]) - 1)]
        case "model twice":
            rows[line][0] = rows[1 + line % (len(rows) - 1)][0]
        case "model in capitals":
            rows[line][0] = rows[1 + line % (len(rows) - 1)][0].swapcase()
        case "model with an unseen sign":
            rows[line][0] = "\u200b" + rows[1 + line % (len(rows) - 1)][0]
        case "no header":
            del rows[0]
        case "short":
            del rows[line][column]
        case "long":
            rows[line].insert(column, "1.5")
        case "both signs":
            rows[line][column] = '"76,8"'
        case "header twice":
            rows.insert(line, list(rows[0]))
        case "two scales":
            rows[line][column] = "0.62"
        case "cut":
            rows[-1] = rows[-1][:column]
    models, name = list(table.rows), rows[0][column]
    if damage not in ("missing", "header twice", "two scales"):
        with pytest.raises(InputError, match=r"t\.csv"):
            read(tmp_path, joined(rows, separator))
        return
    read_back = read(tmp_path, joined(rows, separator))
    if damage == "header twice":
        assert points(read_back) == expected(table)
        return
    model = rows[line][0]
    other = next(m for m in models if m != model)
    refusal = cell_differences(read_back, [(other, model)], read_back.counted, "points")
    assert isinstance(refusal, Refusal)
    assert any(name in reason for reason in refusal.reasons)


PARTS = st.sampled_from(
    [
        *("model", "gqa", "avg", "a", "b", ",", ";", "\t", "|", "&", "\n", "\n", "71.2", "62,3", "1,510.7", "-"),
        *("%", "**", "\\textbf{", "}", '"', "#", " ", "\\\\", "---", "\u2193", "1e309", "[", "$", "_{", "\u0663"),
        *("\u00b1", "(", "0.3", "\u00b2", "1_0"),
    ]
)


@tries("tables")
@given(parts=st.lists(PARTS, max_size=60))
def test_any_text_is_a_table_of_finite_points_or_refused(tmp_path: Path, parts: list[str]) -> None:
    try:
        table = read(tmp_path, "".join(parts))
    except InputError as error:
        place = str(error)
    else:
        place = "t.csv"
        assert all(math.isfinite(score) for row in table.scores.values() for score in row.values())
    assert "t.csv" in place
