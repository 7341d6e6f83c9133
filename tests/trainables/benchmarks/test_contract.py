"""One contract over all benchmarks, the one that the documentation adds among them, and all of their protocols."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.errors import InputError
from tests.support import official_files
from tests.support.documented_benchmark import documented_module
from trainables.benchmarks.best_reachable import best_row
from trainables.benchmarks.contract import Benchmark, Example
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.inventory import check_benchmark
from trainables.benchmarks.priors import priors_of
from trainables.benchmarks.registry import BENCHMARKS
from trainables.benchmarks.scorers.summaries import points
from trainables.benchmarks.scoring import example_table, score_example, summarise

EXAMPLE = documented_module("The module").BENCHMARK
"""The benchmark that the documentation shows how to add."""
CASES: dict[str, Benchmark] = {**BENCHMARKS, EXAMPLE.id: EXAMPLE}
WRITERS = {
    **official_files.WRITERS,
    **documented_module("The test").WRITERS,
}
PAIRS = [(name, protocol) for name, benchmark in CASES.items() for protocol in benchmark.protocols]

PUBLISHED = "vqav2 gqa vizwiz textvqa textvqa-ocr refcoco refcoco+ refcocog ocidref vsr pope tallyqa ai2d"
"""Ids that studies and predictions outside of this repository name; Prismatic VLMs were evaluated on all of them."""


def read(name: str, folder: Path) -> list[Example]:
    WRITERS[name](folder)
    benchmark = CASES[name]
    return benchmark.examples(find_files(name, benchmark.files, [folder]))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Example]]:
    return {name: read(name, tmp_path_factory.mktemp("official")) for name in CASES}


def test_every_benchmark_has_small_official_files() -> None:
    """Require official files of every benchmark: tests/support/official_files/<id>.py, as docs/benchmarks.md shows."""
    assert set(WRITERS) == set(CASES)


def test_every_benchmark_has_the_protocol_that_is_the_default() -> None:
    assert [name for name, benchmark in CASES.items() if "official" not in benchmark.protocols] == []


def test_published_ids_stay_and_have_the_protocol_of_prismatic() -> None:
    assert set(BENCHMARKS) >= set(PUBLISHED.split())
    assert [name for name in PUBLISHED.split() if "prismatic" not in BENCHMARKS[name].protocols] == []


@pytest.mark.parametrize("name", CASES)
def test_official_files_become_plain_examples_with_unique_ids(name: str, examples: dict[str, list[Example]]) -> None:
    read = examples[name]
    assert len({example.id for example in read}) == len(read) > 0
    for example in read:
        plain = asdict(example)
        assert json.loads(json.dumps(plain)) == {**plain, "options": list(example.options)}
        assert example.cluster in str(example.image)
        assert example.question


@pytest.mark.parametrize("name", CASES)
def test_reading_again_and_from_files_by_name_gives_the_same(name: str, tmp_path: Path) -> None:
    first = read(name, tmp_path)
    benchmark = CASES[name]
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert benchmark.examples(find_files(name, benchmark.files, list(reversed(files)))) == first


@pytest.mark.parametrize(("name", "protocol"), PAIRS)
def test_every_protocol_asks_parses_scores_and_sums_up(
    name: str, protocol: str, examples: dict[str, list[Example]]
) -> None:
    definition = CASES[name].protocol(protocol)
    rows = []
    for example in examples[name]:
        prompt, options = definition.prompt(example), definition.options(example)
        assert example.question.lower() in prompt.lower()
        assert len(set(options)) == len(options)
        assert options or definition.max_new_tokens > 0
        for option in options:
            assert definition.parse(option, example).ok
        rows.append(score_example(definition, example, options[0] if options else "yes"))
    scored = summarise(CASES[name], protocol, rows)
    assert scored.headline in scored.metrics
    assert "accuracy" in scored.metrics
    assert scored.n + scored.excluded == len(rows)
    assert set(scored.units) == set(scored.metrics)
    table = example_table(scored.rows, {"benchmark": name})
    assert table.column_names == ["id", "cluster", "prediction", "parsed", "score"]


@pytest.mark.parametrize(("name", "protocol"), PAIRS)
def test_a_text_is_read_alike_for_all_examples_of_a_kind(
    name: str, protocol: str, examples: dict[str, list[Example]]
) -> None:
    definition = CASES[name].protocol(protocol)
    for example in examples[name]:
        texts = ("yes", "2", "B", "black.", "[0.1, 0.2, 0.3, 0.4]", best_row(definition, example).prediction)
        twin = replace(example, id="z", cluster="z", image=None, question="What else?", groups={}, counted=False)
        same_kind = [peer for peer in [*examples[name], twin] if definition.kind(peer) == definition.kind(example)]
        for text, peer in itertools.product(texts, same_kind):
            assert definition.parse(text, peer) == definition.parse(text, example)


@pytest.mark.parametrize(("name", "protocol"), PAIRS)
def test_without_examples_metrics_are_zero_with_a_warning_and_nothing_is_raised(name: str, protocol: str) -> None:
    scored = summarise(CASES[name], protocol, [])
    assert scored.n == 0
    assert set(scored.metrics.values()) <= {0.0}


TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=" .,!?0123456789[]()-+eyYnNoOsSabABC\"'`\n\t", max_size=60),
    st.lists(st.floats(), min_size=1, max_size=6).map(str),
    st.sampled_from(
        ["", " ", "NO!", "No.", "[0.6, 0.6, 0.1, 0.1]", "[1e999, 0, 1, 1]", "[" * 300, "\ud800", "²", "9" * 5000]
    ),
)


@pytest.mark.parametrize(("name", "protocol"), PAIRS)
@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_no_output_raises_or_leaves_zero_to_one(
    name: str, protocol: str, examples: dict[str, list[Example]], text: str
) -> None:
    definition = CASES[name].protocol(protocol)
    rows = [score_example(definition, example, text) for example in examples[name]]
    assert all(0.0 <= row.score <= 1.0 for row in rows)
    scored = summarise(CASES[name], protocol, rows)
    assert all(value == value and abs(value) < 1e18 for value in scored.metrics.values())
    assert len(example_table(scored.rows, {})) == scored.n
    json.dumps(scored.to_json())
    counted = [row if i % 2 else score_example(definition, row.example, "yes") for i, row in enumerate(scored.rows)]
    best = [best_row(definition, row.example) for row in counted]
    priors = priors_of(definition, counted, best)
    assert all(0 <= value <= points([row.score for row in best]) + 1e-9 for value in priors.points.values())
    assert np.isfinite(priors.by_chance).all()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _spoiled(value: Any, path: list[int], replacement: Any) -> Any:
    """Replace one part of a value."""
    if not path or not isinstance(value, dict | list) or not value:
        return replacement
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = _spoiled(value[key], path[1:], replacement)
    return copy


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, 9), path=st.lists(st.integers(0, 20), max_size=6), replacement=JSON)
def test_spoiled_files_are_read_or_refused_as_input(
    name: str, tmp_path_factory: pytest.TempPathFactory, number: int, path: list[int], replacement: Any
) -> None:
    folder = tmp_path_factory.mktemp("spoiled")
    WRITERS[name](folder)
    files = sorted(file for file in folder.rglob("*") if file.suffix in (".json", ".jsonl"))
    file = files[number % len(files)]
    lines = file.read_text().splitlines()
    lines[number % len(lines)] = json.dumps(_spoiled(json.loads(lines[number % len(lines)]), path, replacement))
    file.write_text("\n".join(lines) + "\n")
    benchmark = CASES[name]
    try:
        examples = benchmark.examples(find_files(name, benchmark.files, [folder]))
        for protocol in benchmark.protocols.values():
            rows = [score_example(protocol, example, "yes") for example in examples]
            assert all(0.0 <= row.score <= 1.0 for row in rows)
            protocol.summarise(rows)
    except InputError:
        pass


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=15, deadline=None)
@given(content=st.binary(max_size=80))
def test_files_of_any_bytes_are_refused_as_input(
    name: str, tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    WRITERS[name](folder)
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_bytes(content)
    benchmark = CASES[name]
    with pytest.raises(InputError):
        benchmark.examples(find_files(name, benchmark.files, [folder]))


@pytest.mark.parametrize("name", CASES)
def test_check_tells_files_counts_and_missing_images(name: str, tmp_path: Path) -> None:
    benchmark = CASES[name]
    assert check_benchmark(benchmark, tmp_path / "none").state == "absent"
    WRITERS[name](tmp_path)
    checked = check_benchmark(benchmark, tmp_path)
    assert checked.state == "incomplete"
    assert checked.n > 0
    assert len(checked.missing_images) == checked.images > 0
    assert all(file.sha256 for file in checked.files if file.required)
    assert checked.examples


def test_an_unknown_protocol_names_the_legal_ones() -> None:
    with pytest.raises(InputError, match=r"official, prismatic, vlmevalkit.*\n?.*"):
        BENCHMARKS["vsr"].protocol("lmms")
