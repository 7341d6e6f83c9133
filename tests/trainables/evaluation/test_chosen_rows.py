"""Questions that a study names are answered as they are in the whole set, and ids that are not there are refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from search_spaces.errors import InputError
from search_spaces.expansion.chosen_examples import chosen
from search_spaces.spec import BenchmarkSpec, SourceSpec
from tests.support.tiny_specs import source, stage
from tests.support.tiny_trials import make_task, run
from trainables.data.prepare import prepare_source
from trainables.data.prepared import PreparedSource
from trainables.evaluation.closed_answers import open_closed
from trainables.evaluation.results import read_results
from trainables.evaluation.selected_examples import open_examples
from trainables.evaluation.shown_images import open_asked
from trainables.export.folder import finished_stages
from trainables.storage.records import EvaluationResult
from trainables.storage.store import LocalStore
from trainables.task import TrialTask

SHAPES = BenchmarkSpec(id="shapes", source=source("test"), select="shape")
COLUMNS = ("id", "cluster", "prediction", "parsed", "score", "prompt")


def _result(task: TrialTask) -> EvaluationResult:
    store = LocalStore(Path(task.storage))
    return read_results(task, finished_stages(task, store), store)[task.benchmarks[0].name]


def _rows(task: TrialTask) -> dict[str, tuple[object, ...]]:
    table = pq.read_table(LocalStore(Path(task.storage)).root / _result(task).examples, columns=list(COLUMNS))
    return {str(row["id"]): tuple(row.values()) for row in table.to_pylist()}


def test_named_questions_have_the_rows_of_the_whole_evaluation(tmp_path: Path) -> None:
    whole = make_task(tmp_path, stages=(stage(max_steps=3),), benchmarks=(SHAPES,))
    run(whole)
    rows = _rows(whole)
    ids = sorted(rows)[1::3]
    some = SHAPES.model_copy(update={"only": chosen(ids)})
    part = whole.model_copy(update={"benchmarks": (some,)})
    run(part)
    assert _rows(part) == {name: rows[name] for name in ids}
    assert _result(part).n == len(ids) < _result(whole).n
    assert _result(part).asked != _result(whole).asked
    assert _result(part).priors.keys() == _result(whole).priors.keys()


def test_named_questions_keep_the_options_of_the_whole_set(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    prepared = PreparedSource(store, prepare_source(SHAPES.source, store, tmp_path)[0])
    examples, _, protocol = open_closed(SHAPES, prepared)
    of_one_answer = [e.id for e in examples if e.reference == examples[0].reference]
    some = SHAPES.model_copy(update={"only": chosen(of_one_answer)})
    kept, images, narrowed = open_closed(some, prepared)
    assert [e.id for e in kept] == of_one_answer
    assert narrowed.options(kept[0]) == protocol.options(kept[0])
    swapped = open_asked(some.model_copy(update={"images": "swapped"}), prepared)
    assert swapped.examples == kept
    assert set(swapped.image_rows) <= set(images), "images are exchanged among the named questions"


def test_ids_that_the_data_lack_are_refused(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    (tmp_path / "mine.jsonl").write_text(
        "".join(f'{{"id": "{n}", "question": "q", "answer": "a", "groups": {{"g": "{n % 2}"}}}}\n' for n in range(6))
    )
    mine = SourceSpec(name="mine", version="1", reader="questions", path="mine.jsonl", options={"benchmark": "exact"})
    prepared = PreparedSource(store, prepare_source(mine, store, tmp_path)[0])
    spec = BenchmarkSpec(id="mine", source=mine, protocol="plain", only=chosen(["4", "1", "2"]))
    assert [example.id for example in open_examples(spec, prepared).examples] == ["1", "2", "4"]
    absent = spec.model_copy(update={"only": chosen(["1", "7", "x"])})
    with pytest.raises(InputError, match="2 of 3 are not there: '7', 'x'"):
        open_examples(absent, prepared)
    with pytest.raises(InputError, match=r"with the tag 'g=1', but 2 of 3 are not there: '2', '4'"):
        open_examples(spec.model_copy(update={"select": "g=1"}), prepared)
