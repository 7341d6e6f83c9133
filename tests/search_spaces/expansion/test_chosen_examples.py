"""Questions that a study names are read with the study, and their ids alone decide the key of what is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.expansion.chosen_examples import chosen
from search_spaces.expansion.expand import plan_study
from search_spaces.identity import benchmark_key, source_name
from search_spaces.spec import BenchmarkSpec, SourceSpec
from search_spaces.study_files import load_study
from tests.support.small_studies import BASE, plan_of

SOURCE = SourceSpec(name="a", version="1", reader="generated", records=10)
SPEC = BenchmarkSpec(id="b", source=SOURCE, select="shape")
DIGESTS = {source_name(SOURCE): "d"}
SUITE = "suites: {few: [{id: gqa, only: ids/gqa.json}, vsr]}\nbenchmarks: few\n"


def _key(spec: BenchmarkSpec) -> str:
    return str(benchmark_key(spec, DIGESTS))


def test_benchmark_without_named_questions_keeps_its_key() -> None:
    """Hold keys still: a change scores everybody's models anew."""
    assert _key(SPEC).startswith("1bfd885b91c1ee02")


def test_ids_decide_the_key_and_their_order_does_not() -> None:
    some, same, others = (SPEC.model_copy(update={"only": chosen(ids)}) for ids in (["1", "2"], ["2", "1"], ["1", "3"]))
    assert _key(some) == _key(same)
    assert len({_key(SPEC), _key(some), _key(others)}) == 3
    assert "ids=" not in repr(some)


def test_ids_are_read_from_beside_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "below" / "ids").mkdir(parents=True)
    (tmp_path / "below" / "ids" / "gqa.json").write_text('["20", "3"]')
    (tmp_path / "below" / "lines.txt").write_text("3\n\n20\n")
    (tmp_path / "below" / "study.yaml").write_text(BASE + SUITE)
    (tmp_path / "study.yaml").write_text("extends: below/study.yaml\n")
    gqa, vsr = plan_study(load_study(str(tmp_path / "study.yaml"))).benchmarks
    assert (gqa.only, vsr.only) == (chosen(["3", "20"]), None)
    lines = tmp_path / "below" / "lines.txt"
    study = load_study(str(tmp_path / "study.yaml"), (f"benchmarks=[{{id: gqa, only: {lines}}}]",))
    assert plan_study(study).benchmarks[0].only == gqa.only


@pytest.mark.parametrize(
    ("content", "law"),
    [
        (None, "must be a file of ids"),
        ('["a",', "must be a file of ids"),
        ("[1, 2]", "must hold ids as texts, but 2 of 2 are not: 1, 2"),
        ('["a", "b", "a"]', 'must hold every id once, but 1 are repeated: "a"'),
        ("a\n", "must hold at least 2 ids, but it has 1"),
        ("", "must hold at least 2 ids, but it has 0"),
    ],
)
def test_file_that_is_no_list_of_ids_is_refused_at_its_line(tmp_path: Path, content: str | None, law: str) -> None:
    (tmp_path / "ids").mkdir()
    if content is not None:
        (tmp_path / "ids" / "gqa.json").write_text(content)
    with pytest.raises(InputError, match=law.replace("[", r"\[")) as caught:
        plan_of(tmp_path, BASE + SUITE)
    (problem,) = getattr(caught.value, "problems", (caught.value,))
    assert problem.key == "suites.few[0].only"
    assert problem.place == f"{tmp_path / 'study.yaml'}:{BASE.count(chr(10)) + 1}"


@pytest.mark.parametrize(
    ("benchmarks", "law"),
    [
        ("[{id: gqa, sample: 10, only: gqa.json}]", "must not both be given"),
        ("[{id: prismatic-12, only: gqa.json}]", "must be of one benchmark, but 'prismatic-12' is a suite"),
    ],
)
def test_named_questions_are_of_one_benchmark_and_no_sample(tmp_path: Path, benchmarks: str, law: str) -> None:
    (tmp_path / "gqa.json").write_text(json.dumps(["1", "2"]))
    with pytest.raises(InputError, match=law):
        plan_of(tmp_path, f"{BASE}benchmarks: {benchmarks}\n")


def test_toy_form_has_no_named_questions_as_its_data_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "gqa.json").write_text(json.dumps(["1", "2"]))
    plan = plan_of(tmp_path, f"{BASE}benchmarks: [{{id: gqa, only: gqa.json}}]\n", toy=True)
    assert plan.benchmarks[0].only is None
