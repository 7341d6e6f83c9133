"""Claims about questions that are asked with other images than their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from search_spaces.outcomes import UnitDone
from search_spaces.spec import BenchmarkSpec, MixPart, MixSpec, OptimizerSpec, VisionSpec
from tests.support.gloo_pair import run_on_two
from tests.support.tiny_specs import source, stage, vision
from tests.support.tiny_trials import make_task, run
from trainables.data.prepare import prepare_source
from trainables.data.prepared import PreparedSource
from trainables.evaluation.results import read_results
from trainables.evaluation.shown_images import ONE_PICTURE, open_asked, swapped_rows
from trainables.export.folder import finished_stages
from trainables.run_trial import run_trial
from trainables.storage.records import EvaluationResult
from trainables.storage.store import LocalStore
from trainables.task import Context, TrialTask

COLOURS = BenchmarkSpec(id="colours", source=source("test", records=60, seed=3, tags="color"))


def _asked(benchmark: BenchmarkSpec, images: str) -> BenchmarkSpec:
    return benchmark.model_copy(update={"images": images})


def _task(storage: Path, benchmark: BenchmarkSpec = COLOURS, steps: int = 40, **fields: object) -> TrialTask:
    """A trial that learns colours from a frozen transformer in a second, and is then asked blind."""
    learns = stage(
        max_steps=steps,
        data=MixSpec(name="colours", parts=(MixPart(source=source(records=60, tags="color")),)),
        optimizer=OptimizerSpec(lr=1e-2, eps=1e-8),
    )
    task = make_task(storage, stages=(learns,), benchmarks=(benchmark,), vision_spec=_transformer(), **fields)  # type: ignore[arg-type]
    return task.model_copy(update={"blind": (_asked(benchmark, "blank"), _asked(benchmark, "swapped"))})


def _transformer() -> VisionSpec:
    options = {"img_size": 64}
    return vision(arch="test_vit", family="vit", patch=16, width=64, tokens=16, options=options)


def _scores(task: TrialTask) -> dict[str, EvaluationResult]:
    store = LocalStore(Path(task.storage))
    return read_results(task, finished_stages(task, store), store)


@pytest.mark.parametrize("cached", [True, False], ids=["cached features", "from the encoder"])
def test_model_that_has_learnt_to_look_loses_its_score_without_its_images(tmp_path: Path, cached: bool) -> None:
    task = _task(tmp_path, cached=cached)
    run(task)
    scores = _scores(task)
    assert scores["colours"].points > 90
    assert scores["colours@blank"].points <= scores["colours"].majority
    assert scores["colours@blank"].constant
    assert scores["colours@swapped"].points < 50
    assert not scores["colours@swapped"].constant
    tables = [pq.read_table(tmp_path / score.examples) for score in scores.values()]
    assert all(table.select(["id", "cluster"]) == tables[0].select(["id", "cluster"]) for table in tables)
    assert len({score.key for score in scores.values()}) == len({score.asked for score in scores.values()}) == 3


def test_question_is_answered_as_if_it_had_been_asked_about_the_image_that_is_shown(tmp_path: Path) -> None:
    task = _task(tmp_path)
    run(task)
    store = LocalStore(tmp_path)
    prepared = PreparedSource(store, prepare_source(COLOURS.source, store, tmp_path)[0])
    own, swapped = open_asked(COLOURS, prepared), open_asked(_asked(COLOURS, "swapped"), prepared)
    answers = {name: pq.read_table(tmp_path / score.examples) for name, score in _scores(task).items()}
    of_image = dict(zip(own.image_rows, answers["colours"]["prediction"].to_pylist(), strict=True))
    assert answers["colours@swapped"]["prediction"].to_pylist() == [of_image[row] for row in swapped.image_rows]


def test_stopped_trial_is_only_asked_what_has_no_score_yet(tmp_path: Path) -> None:
    task = _task(tmp_path, steps=2)
    loop = run_trial(task, Context())
    for event in loop:
        if isinstance(event, UnitDone) and event.label.startswith("evaluate colours@blank"):
            break
    loop.close()  # type: ignore[attr-defined]
    assert _scores(task).keys() == {"colours"}
    labels = {event.label for event in run(task) if isinstance(event, UnitDone) and "evaluate" in event.label}
    assert labels == {"evaluate colours@swapped (2/2)"}, "the blank batch was answered already, but not scored"
    assert _scores(task).keys() == {"colours", "colours@blank", "colours@swapped"}


def test_scores_of_two_workers_are_those_of_one(tmp_path: Path) -> None:
    alone, pair = _task(tmp_path / "one", steps=8), _task(tmp_path / "two", steps=8, workers=2)
    run(alone)
    run_on_two([pair])
    assert [score.points for score in _scores(pair).values()] == [score.points for score in _scores(alone).values()]


def test_swapped_images_are_the_others_each_once_and_never_the_own() -> None:
    rows, pictures = [0, 0, 1, 2, -1, 3, 4, 5], np.array([0, 1, 2, 3, 4, 0], np.int32)
    swapped = swapped_rows("pope", rows, pictures)
    assert swapped is not None
    assert swapped[4] == -1, "a question without an image stays without one"
    shown = [(pictures[own], pictures[other]) for own, other in zip(rows, swapped, strict=True) if own >= 0]
    assert all(own != other for own, other in shown), "also where two images are one picture"
    assert len({other for _, other in shown}) == len(set(shown)) == 5
    assert swapped == swapped_rows("pope", rows, pictures)
    assert swapped != swapped_rows("vqav2", rows, pictures)


def test_questions_about_one_picture_are_asked_with_a_blank_image_and_the_result_says_so(tmp_path: Path) -> None:
    one = BenchmarkSpec(id="one", source=source("test", records=4, tags="color,shape,yes-no,negated"))
    prepared = PreparedSource(LocalStore(tmp_path), prepare_source(one.source, LocalStore(tmp_path), tmp_path)[0])
    swapped = open_asked(_asked(one, "swapped"), prepared)
    assert (swapped.is_blank, swapped.warnings) == (True, (ONE_PICTURE,))


def test_questions_without_images_are_answered_alike_whatever_is_shown(tmp_path: Path) -> None:
    mixed = BenchmarkSpec(id="mixed", source=source("test", records=16, tags="color,text-only"))
    task = _task(tmp_path, mixed, steps=4)
    run(task)
    tables = [pq.read_table(tmp_path / score.examples).to_pylist() for score in _scores(task).values()]
    texts = [[row["prediction"] for row in table if "comes after" in row["prompt"]] for table in tables]
    assert len(texts[0]) == 8
    assert texts[0] == texts[1] == texts[2]
