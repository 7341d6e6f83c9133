"""Claims about what preflight says of answers and prompts before the first trial."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.planning import asked_questions, question_checks
from orchestrator.planning.planned import PlanOptions, expand
from orchestrator.planning.preflight import preflight
from search_spaces.errors import InputError
from search_spaces.spec import BenchmarkSpec
from search_spaces.study_files import load_study
from tests.support.own_sets import write_lines, write_own_set
from trainables.data.prepared import PreparedSource
from trainables.evaluation.questions import Questions, open_questions
from trainables.storage import layout
from trainables.storage.store import LocalStore

SHORT = "Answer the question using a single word or phrase."


def warnings_of(study: Path, *overrides: str) -> list[str]:
    """Run preflight on a study and return its warnings."""
    folder = study.parent
    options = PlanOptions(storage=folder / "store", data=folder)
    expansion = expand(load_study(str(study), overrides), options)
    said: list[str] = []
    preflight(expansion.specs(None), expansion.evaluation_sets, LocalStore(folder / "store"), folder, said.append)
    return [line for line in said if line.startswith("warning: ")]


def test_a_set_that_is_asked_as_trained_is_accepted_without_a_word(tmp_path: Path) -> None:
    assert warnings_of(write_own_set(tmp_path)) == []


def test_prompts_that_no_training_question_is_like_are_a_warning_with_the_way_out(tmp_path: Path) -> None:
    study = write_own_set(tmp_path)
    words, prompts = warnings_of(study, "benchmarks=[{id: our-colors, source: our-test, protocol: official}]")
    assert "reads as one and the same: '.', 'a', 'answer'" in words
    assert f"no training question of ours ends with '{SHORT}', as all prompts do; `protocol: plain`" in prompts


def test_questions_that_all_end_as_no_prompt_does_are_a_warning(tmp_path: Path) -> None:
    (warning,) = warnings_of(write_own_set(tmp_path, suffix=f"\n{SHORT}"))
    assert f"every training question of ours ends with '{SHORT}', and no prompt does" in warning


def test_words_of_answers_that_a_tokenizer_does_not_know_are_refused_before_anything_trains(tmp_path: Path) -> None:
    study = write_own_set(tmp_path)
    with pytest.raises(InputError) as refused:
        warnings_of(study, "base.language=llama-2x96")
    text = str(refused.value)
    assert "training answers must be of words that the tokenizer of llama-2x96 knows, but 4 of 5 (80 %)" in text
    assert "benchmarks.our-colors: right answers must be of words" in text
    assert "'crimson'" in text
    assert "`language: tiny`" in text


def test_words_that_only_a_benchmark_has_are_an_error_in_answers_and_a_warning_in_questions(tmp_path: Path) -> None:
    study = write_own_set(tmp_path)
    record = {"id": 1, "image": "0.png", "question": "Which hue is it?", "answer": "crimson"}
    write_lines(tmp_path / "test.jsonl", [record, {**record, "id": 2, "question": "Which color is it?"}])
    (warning,) = warnings_of(study)
    assert "our-colors: 1 of 2 (50 %) prompts have words" in warning
    assert "'hue'" in warning
    write_lines(tmp_path / "test.jsonl", [record, {**record, "id": 2, "answer": "mauve"}])
    with pytest.raises(InputError, match=r"those to 1 of 2 questions have others: 'mauve'"):
        warnings_of(study)


def test_prompts_and_answers_that_are_cut_are_a_warning(tmp_path: Path) -> None:
    study = write_own_set(tmp_path)
    (cut,) = warnings_of(study, "base.language={model: tiny, max_length: 4}")
    assert "our-colors: 8 of 8 prompts are longer than 4 tokens and lose their end" in cut
    record = {"id": 1, "image": "0.png", "question": "Which color is it?", "answer": " ".join(["gold"] * 70)}
    write_lines(tmp_path / "test.jsonl", [record])
    (long,) = warnings_of(study)
    assert "1 of 1 right answers are longer than the 64 tokens that the protocol plain lets a model write" in long


def test_captions_are_no_questions(tmp_path: Path) -> None:
    warnings = warnings_of(write_own_set(tmp_path), "recipe={extends: quickstart, finetune: {prompt: caption}}")
    assert any("every stage drops its questions" in warning for warning in warnings)


def test_an_arm_with_less_data_has_the_words_of_the_base(tmp_path: Path) -> None:
    study = write_own_set(tmp_path)
    records = json.loads((tmp_path / "train.json").read_text())
    (tmp_path / "less.json").write_text(json.dumps(records[:2]))
    less = "sources.less={reader: llava, path: less.json, image_folder: images}"
    mix = "mixes.less={parts: [{source: less}]}"
    assert warnings_of(study, less, mix, "axes={data: [ours, less]}") == []


def test_references_that_let_no_answer_be_right_are_refused_before_anything_trains(tmp_path: Path) -> None:
    """Prismatic's two decimals leave nothing of a box of two pixels in a wide image."""
    study = write_own_set(tmp_path)
    record = {"id": 1, "image": "0.png", "question": "the dot", "box": [301, 201, 303, 203], "size": [6400, 4800]}
    write_lines(tmp_path / "test.jsonl", [record])
    grounding = "sources.our-test.options={benchmark: grounding}"
    with pytest.raises(InputError, match=r"benchmarks\.our-colors\.protocol.*under prismatic the best answer"):
        warnings_of(study, grounding, "benchmarks=[{id: our-colors, source: our-test, protocol: prismatic}]")
    assert not any("best answer" in warning for warning in warnings_of(study, grounding))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the benchmarks whose questions were read."""
    ids: list[str] = []

    def open_and_note(benchmark: BenchmarkSpec, source: PreparedSource) -> Questions:
        ids.append(benchmark.id)
        return open_questions(benchmark, source)

    monkeypatch.setattr(asked_questions, "open_questions", open_and_note)
    return ids


def test_questions_that_have_passed_are_not_read_again_and_their_warnings_stay(tmp_path: Path, read: list[str]) -> None:
    study = write_own_set(tmp_path, suffix=f"\n{SHORT}")
    first = warnings_of(study)
    assert (len(first), bool(read)) == (1, True)
    read.clear()
    assert warnings_of(study) == first
    assert read == []


@pytest.mark.parametrize("what", ["data", "program", "record"])
def test_questions_are_read_again_once_what_was_found_may_differ(
    what: str, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write_own_set(tmp_path)
    assert warnings_of(study) == []
    read.clear()
    match what:
        case "data":
            record = {"id": 9, "image": "0.png", "question": "Which hue is it?", "answer": "crimson"}
            write_lines(tmp_path / "test.jsonl", [record])
        case "program":
            monkeypatch.setattr(question_checks, "program_fingerprint", lambda: "another")
        case "record":
            LocalStore(tmp_path / "store").put(layout.CHECKED_QUESTIONS, b"{")
    assert bool(warnings_of(study)) is (what == "data")
    assert read


def test_answers_that_cannot_be_said_are_refused_each_time(tmp_path: Path) -> None:
    study = write_own_set(tmp_path)
    for _ in range(2):
        with pytest.raises(InputError, match="right answers must be of words"):
            warnings_of(study, "base.language=llama-2x96")
