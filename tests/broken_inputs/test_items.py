"""Items over file x order x encoding x damage, imports over harness x damage: the same cells, or refused by name."""

from __future__ import annotations

import copy
import gzip
import json
import math
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api import judge
from orchestrator.items.check import Items, checked_items
from orchestrator.items.files import read_items
from orchestrator.items.harnesses.contract import Choices
from orchestrator.items.harnesses.registry import HARNESSES, HarnessName
from orchestrator.items.import_runs import import_runs
from search_spaces.alike_names import seen_name
from search_spaces.errors import InputError
from tests.support.broken_inputs import tries
from tests.support.harness_files import choice_rows, lmms_sample, pope_metrics, write_samples, write_table, yes_no_rows
from tests.support.item_rows import Row

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)


@st.composite
def item_tables(draw: st.DrawFn) -> list[Row]:
    arms = draw(st.lists(NAMES, min_size=2, max_size=3, unique_by=seen_name))
    benchmarks = draw(st.lists(NAMES, min_size=1, max_size=2, unique_by=seen_name))
    ids = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    seeds = draw(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=3, unique=True))
    scores = st.sampled_from([0.0, 1.0, 0.3, 1, 0])
    has_cluster = draw(st.booleans())
    return [
        {"arm": arm, "seed": seed, "benchmark": benchmark, "id": name, "score": draw(scores)}
        | ({"cluster": f"{benchmark}{at % 2}"} if has_cluster else {})
        for benchmark in benchmarks
        for arm in arms
        for seed in seeds
        for at, name in enumerate(ids)
    ]


def json_lines(rows: Sequence[object], folder: Path, encoding: str = "utf-8", packed: bool = False) -> Path:
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    data = text.encode(encoding)
    path = folder / "items.jsonl"
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def parquet(rows: Sequence[Row], folder: Path) -> Path:
    path = folder / "items.parquet"
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    if rows:
        columns["score"] = [float(score) for score in columns["score"]]
    pq.write_table(pa.table(columns), path)
    return path


def values_of(items: Items) -> dict[tuple[Any, ...], tuple[float, str]]:
    return {
        (*cell, name): (float(score), cluster)
        for cell, content in items.cells.items()
        for name, score, cluster in zip(
            content.examples.ids, content.examples.scores, content.examples.clusters, strict=True
        )
    }


@tries("items", few=50)
@given(
    rows=item_tables(),
    data=st.data(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    packed=st.booleans(),
)
def test_rows_in_any_order_and_file_are_the_same_cells(
    tmp_path: Path, rows: list[Row], data: st.DataObject, encoding: str, packed: bool
) -> None:
    expected = {
        (row["arm"], row["seed"], row["benchmark"], row["id"]): (row["score"], row.get("cluster", row["id"]))
        for row in rows
    }
    shuffled = data.draw(st.permutations(rows))
    assert values_of(checked_items(read_items([json_lines(shuffled, tmp_path, encoding, packed)]))) == expected
    assert values_of(checked_items(read_items([parquet(shuffled, tmp_path)]))) == expected


SPOILED: dict[str, tuple[str, Sequence[Any]]] = {
    "score": ("score", [1.01, -0.1, math.nan, math.inf, "1", True, None, [1], {}]),
    "seed": ("seed", [1.5, "1", True, None, 2**64, math.nan]),
    "text": ("id", [7, None, "", ["a"], True]),
    "arm": ("arm", [7, None, "", 1.5]),
    "benchmark": ("benchmark", [7, None, "", {}]),
    "cluster": ("cluster", ["", 7, [], True]),
    "prediction": ("prediction", [7, [], True]),
}


@tries("items", few=80)
@given(rows=item_tables(), kind=st.sampled_from(list(SPOILED)), data=st.data())
def test_a_wrong_value_is_named_with_its_line(tmp_path: Path, rows: list[Row], kind: str, data: st.DataObject) -> None:
    column, values = SPOILED[kind]
    at = data.draw(st.integers(0, len(rows) - 1))
    rows[at][column] = data.draw(st.sampled_from(values))
    with pytest.raises(InputError) as raised:
        checked_items(read_items([json_lines(rows, tmp_path)]))
    assert f"items.jsonl:{at + 1}: {column}: must" in str(raised.value)


DAMAGES: dict[str, Callable[[list[Row], int], None]] = {
    "twice": lambda rows, at: rows.append(dict(rows[at])),
    "lacking": lambda rows, at: rows.pop(at) and None,
    "renamed": lambda rows, at: rows[at].update(id="another"),
    "moved": lambda rows, at: rows[at].update(cluster="another"),
    "nothing": lambda rows, at: rows.clear(),
    "no column": lambda rows, at: [row.pop("benchmark") for row in rows] and None,
}


@tries("items", few=100)
@given(
    rows=item_tables(),
    damage=st.sampled_from(list(DAMAGES)),
    data=st.data(),
    kind=st.sampled_from(["jsonl", "parquet"]),
)
def test_rows_that_do_not_go_together_are_refused_by_name(
    tmp_path: Path, rows: list[Row], damage: str, data: st.DataObject, kind: str
) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    row = dict(rows[at])
    DAMAGES[damage](rows, at)
    named = {"nothing": "is empty", "no column": "there is no benchmark"}.get(damage, row["id"])
    if damage == "nothing" and kind == "parquet":
        named = "there is no arm"  # a file without columns
    with pytest.raises(InputError) as raised:
        checked_items(read_items([json_lines(rows, tmp_path) if kind == "jsonl" else parquet(rows, tmp_path)]))
    assert named in str(raised.value)


LOOKALIKES: dict[str, Callable[[str], str]] = {
    "case": str.swapcase,
    "a blank behind": lambda name: f"{name} ",
    "a blank of another kind": lambda name: name.replace(" ", "\u00a0"),
    "an unseen sign": lambda name: f"{name[:1]}\u200b{name[1:]}",
    "a byte order mark": lambda name: f"\ufeff{name}",
    "decomposed": lambda name: unicodedata.normalize("NFD", name),
    "composed": lambda name: unicodedata.normalize("NFC", name),
}


@tries("items", few=40)
@given(column=st.sampled_from(["arm", "benchmark"]), change=st.sampled_from(list(LOOKALIKES)), seed=st.integers(1, 3))
@pytest.mark.parametrize("name", ["caf\u00e9 one", "cafe\u0301 one"])
def test_a_name_that_looks_like_another_is_refused_by_both(
    tmp_path: Path, column: str, change: str, seed: int, name: str
) -> None:
    rows = [
        {"arm": arm, "seed": number, "benchmark": f"on {name}", "id": f"{at}", "score": at % 2}
        for arm in (name, "base")
        for number in (1, 2, 3)
        for at in range(4)
    ]
    other = LOOKALIKES[change](rows[0][column])
    for row in rows:
        if row["arm"] == name and row["seed"] == seed:
            row[column] = other
    items = read_items([json_lines(rows, tmp_path)])
    if other in (name, f"on {name}"):
        checked_items(items)
        return
    with pytest.raises(InputError, match=f"{column}: {column}s must differ in more than case, blanks") as raised:
        checked_items(items)
    assert "items.jsonl:" in str(raised.value)


PARTS = st.sampled_from(
    [
        *('{"arm": "a"', ', "seed": 1', ', "benchmark": "b"', ', "id": "q"', ', "score": 1', ', "score": 0.5}', "}"),
        *("\n", "[", "]", "null", '"', "{", ",", " ", "NaN", "1e999", "\\ud800", "\ufeff", "PAR1", '"id": "\\ud800"'),
    ]
)


@tries("items")
@given(parts=st.lists(PARTS, max_size=30))
def test_any_text_is_items_or_refused_with_the_file(tmp_path: Path, parts: list[str]) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text("".join(parts))
    try:
        items = checked_items(read_items([path]))
    except InputError as error:
        place, scores = str(error), []
    else:
        place, scores = "items.jsonl", [score for score, _ in values_of(items).values()]
    assert "items.jsonl" in place or "benchmark b" in place
    assert all(0 <= score <= 1 for score in scores)


CLAIM = {"id": "h", "claim": "c", "pairs": [["a", "b"]], "expect": "better"}


@tries("items", few=40)
@given(
    scores=st.lists(st.sampled_from([0.0, 1.0, 0.5]), min_size=8, max_size=8),
    n_images=st.integers(1, 4),
    seeds=st.sampled_from([(1,), (1, 2)]),
)
def test_small_and_flat_items_have_a_finite_interval_or_none(
    scores: list[float], n_images: int, seeds: tuple[int, ...]
) -> None:
    rows = [
        {"arm": arm, "seed": seed, "benchmark": "x", "id": f"{i}", "score": score, "cluster": f"{i % n_images}"}
        for seed in seeds
        for arm, part in (("a", scores[:4]), ("b", scores[4:]))
        for i, score in enumerate(part)
    ]
    verdict = judge(pa.Table.from_pylist(rows), [CLAIM])[0]
    assert (verdict["effect"] is None) == (n_images == 1)
    if n_images == 1:
        assert "at least two images" in verdict["sentence"]
    else:
        low, high = verdict["interval"]
        assert low <= verdict["effect"] <= high


def _lmms(rows: list[dict[str, Any]], folder: Path) -> Path:
    return write_samples(folder, "pope", rows)


def _table(rows: list[dict[str, Any]], folder: Path) -> Path:
    return write_table(folder / "m" / "m_POPE_result.json", rows)


SOURCES: dict[HarnessName, tuple[Callable[[], list[dict[str, Any]]], Callable[..., Path], str, str]] = {
    "lmms-eval": (
        lambda: [lmms_sample(i, i % 3 == 0, pope_metrics(i, i % 3 == 0)) for i in range(6)],
        _lmms,
        "doc_id",
        "pope_accuracy",
    ),
    "vlmevalkit": (lambda: choice_rows(0.5, 1, 6), _table, "index", "hit"),
    "jsonl": (
        lambda: [{"id": row["index"], "score": row["score"]} for row in yes_no_rows(0.5, 1, 6)],
        lambda rows, folder: json_lines(rows, folder),
        "id",
        "score",
    ),
}


@tries("imports", few=120)
@given(
    name=st.sampled_from(list(SOURCES)),
    damage=st.sampled_from(["none", "no id", "id twice", "no score", "word", "too large", "no record", "cut off"]),
    at=st.integers(0, 5),
)
def test_results_of_a_harness_are_imported_whole_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, name: HarnessName, damage: str, at: int
) -> None:
    folder = tmp_path_factory.mktemp("import")
    make, write, key, metric = SOURCES[name]
    rows: list[Any] = copy.deepcopy(make())
    match damage:
        case "no id":
            rows[at].pop(key)
        case "id twice":
            rows.append(dict(rows[at]))
        case "no score":
            rows[at] = {field: value for field, value in rows[at].items() if "pope" not in field and field != metric}
        case "word":
            rows[at] = {k: ("good" if "pope" in k or k == metric else v) for k, v in rows[at].items()}
        case "too large":
            rows[at] = {k: (7 if "pope" in k or k == metric else v) for k, v in rows[at].items()}
        case "no record":
            rows[at] = [1]
    path = write(rows, folder) if damage != "no record" else json_lines(rows, folder)
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:-9])
    choices = Choices(benchmark="pope")
    if damage == "none":
        imported = import_runs([path], HARNESSES[name], "a", 1, choices, folder / "items")
        assert [len(run.run.questions) for run in imported] == [6]
        return
    with pytest.raises(InputError, match=path.name.replace(".", r"\.")):
        import_runs([path], HARNESSES[name], "a", 1, choices, folder / "items")
    assert not (folder / "items").exists()
