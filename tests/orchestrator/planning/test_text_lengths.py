"""Lengths of texts that `ablate data stats` measures are those of the plan, until data or tokenizer change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cluster.memory import sequence
from cluster.padding import MeasuredTexts, padding
from orchestrator.api import load
from orchestrator.cli import app
from orchestrator.planning.planned import PlanOptions, expand
from orchestrator.planning.text_lengths import MeasuredMixes
from search_spaces.resource_spec import ResourceSpec
from search_spaces.study_files import load_study
from tests.support.hub_languages import make_checkpoint
from tests.support.sized_stages import SIZE_7B, sized_stage
from trainables.data.batches import micro_batches
from trainables.storage import layout
from trainables.storage.store import LocalStore

SHORT, LONG = 1, 21
"""Words of an answer: of most records, and of every eighth."""
STUDY = """
study: own
base:
  vision: {backbone: efficientnet-lite0, resolution: 64}
  projector: linear
  language: llama-2x96
  stages: [finetune]
  epochs: 1
  data: mine
recipe: quickstart
resources: {workers: 2, gpus_per_worker: 1, micro_batch: MICRO}
sources:
  mine: {reader: llava, path: chat.json, records: 64, images: 1}
mixes:
  mine: {parts: [PART]}
benchmarks: []
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study beside 64 records with an image, of which every eighth is long."""
    _write_records(tmp_path, LONG)
    return _write_study(tmp_path)


def _write_records(folder: Path, long: int) -> None:
    Image.new("RGB", (6, 4)).save(folder / "0.png")
    rows = []
    for number in range(64):
        answer = " ".join(["word"] * (SHORT if number % 8 else long))
        turns = [{"from": "human", "value": "<image>\nq"}, {"from": "gpt", "value": answer}]
        rows.append({"id": str(number), "image": "0.png", "conversations": turns})
    (folder / "chat.json").write_text(json.dumps(rows))


def _write_study(folder: Path, part: str = "{source: mine}", micro_batch: int = 32) -> Path:
    file = folder / "own.yaml"
    file.write_text(STUDY.replace("PART", part).replace("MICRO", str(micro_batch)))
    return file


def _ablate(*arguments: str | Path, study: Path) -> str:
    places = ("--data", study.parent, "--storage", study.parent / "store")
    result = CliRunner().invoke(app, [*map(str, (*arguments, *places))])
    assert result.exit_code == 0, result.output
    return result.stdout


def _stage(study: Path, *options: str) -> dict[str, Any]:
    (stage,) = json.loads(_ablate("plan", study, "--json", *options, study=study))["stages"]
    return dict(stage)


def _measure(study: Path) -> dict[str, Any]:
    sources = json.loads(_ablate("data", "stats", study, "--json", study=study))["sources"]
    return next(dict(source) for source in sources if source["source"] == "mine@1")


def test_a_plan_has_the_padding_of_measured_lengths_and_says_so(study: Path, tmp_path: Path) -> None:
    assumed = _stage(study)
    assert (assumed["texts"]["tokens"], assumed["texts"]["lengths"]) == (32, "assumed")  # the model cuts at 32
    assert "padding, at assumed lengths" in " ".join(_ablate("plan", study, "--tables", study=study).split())
    (measured,) = _measure(study)["tokens"]
    assert measured["tokens"] == {"least": 3, "median": 3, "p90": 23, "p99": 23, "most": 23}
    stage = _stage(study)
    mean, fixed = (3 * 7 + 23) / 8, 1 + 4  # the beginning of sequence and visual tokens
    assert (stage["texts"]["tokens"], stage["texts"]["lengths"]) == (round(mean), "measured")
    assert stage["padding"] == pytest.approx((fixed + 23) / (fixed + mean))
    said = " ".join(_ablate("plan", study, "--tables", study=study).split())
    assert "a text has 6 tokens (--gpu, --mfu), as `ablate data stats` has measured; padding, at these lengths" in said
    assert stage["key"] == assumed["key"]
    assert stage["id"] == assumed["id"]
    (of_program,) = load(study, storage=tmp_path / "store", data=tmp_path).plan()["stages"]
    assert of_program == stage


def test_hours_and_mfu_of_a_plan_follow_measured_padding(study: Path) -> None:
    _measure(study)
    whole, few = _stage(study), _stage(_write_study(study.parent, micro_batch=2))
    assert whole["padding"] > few["padding"] >= 1
    factor = whole["padding"] / few["padding"]
    assert whole["gpu_hours"] / few["gpu_hours"] == pytest.approx(factor)
    assert few["mfu"] / whole["mfu"] == pytest.approx(factor)


def test_lengths_of_data_that_have_changed_are_assumed_until_they_are_measured_again(study: Path) -> None:
    _measure(study)
    measured = _stage(study)
    _write_records(study.parent, 2 * LONG)
    assert _stage(study)["texts"]["lengths"] == "assumed"
    _measure(study)
    again = _stage(study)
    assert again["texts"]["lengths"] == "measured"
    assert again["texts"]["tokens"] > measured["texts"]["tokens"]


def test_a_mean_that_is_given_is_taken_for_all_texts(study: Path) -> None:
    _measure(study)
    assert _stage(study, "--text-tokens", "9")["texts"] == {"tokens": 9, "lengths": "assumed"}


@pytest.mark.parametrize("part", ["{source: mine, count: 16, repeat: 2}", "{source: mine, drop: [text-only]}"])
def test_a_part_that_draws_records_has_the_lengths_of_its_source(study: Path, part: str) -> None:
    _measure(_write_study(study.parent, part))
    assert _stage(study)["texts"] == {"tokens": 6, "lengths": "measured"}


def test_lengths_of_records_without_a_dropped_tag_are_assumed_as_those_with_it_may_be_longer(study: Path) -> None:
    drawn = "mine: {reader: generated, options: {records: 64}, records: 64, images: 16, tags: {negated: 16}}"
    text = study.read_text().replace("mine: {reader: llava, path: chat.json, records: 64, images: 1}", drawn)
    for part, lengths in (("{source: mine}", "measured"), ("{source: mine, drop: [negated]}", "assumed")):
        study.write_text(text.replace("parts: [{source: mine}]", f"parts: [{part}]"))
        _measure(study)
        assert _stage(study)["texts"]["lengths"] == lengths


def test_lengths_in_the_tokens_of_a_checkpoint_hold_while_its_files_do_not_change(study: Path) -> None:
    folder = make_checkpoint(study.parent / "model", "llama")
    study.write_text(study.read_text().replace("llama-2x96", "path:model"))
    (measured,) = _measure(study)["tokens"]
    assert (measured["tokenizer"], measured["note"]) == ("weights:path:model", None)
    assert _lengths_of(study)[0] == "measured"
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + "\n")
    assert _lengths_of(study)[0] == "assumed"


def _lengths_of(study: Path) -> list[str]:
    """Tell where the lengths of the stages' texts are from, also of models whose size is not known."""
    options = PlanOptions(study.parent / "store", study.parent)
    expansion = expand(load_study(str(study)), options)
    measured = MeasuredMixes(LocalStore(study.parent / "store"), study.parent)
    specs = [(stage, trial.language) for trial in expansion.specs() for stage in trial.stages]
    texts = [measured.texts(stage.data, language, stage.prompt or language.prompt) for stage, language in specs]
    return ["assumed" if each is None else "measured" for each in texts]


def test_where_a_tokenizer_is_not_on_this_machine_data_are_described_without_its_lengths(study: Path) -> None:
    study.write_text(study.read_text().replace("llama-2x96", "vicuna-v15-7b"))
    described = _measure(study)
    assert (described["counts"]["records"], described["tokens"][0]["tokens"]) == (64, None)
    said = _ablate("data", "stats", study, "--source", "mine", study=study)
    assert "lengths in tokens" not in said  # of a source without its study no tokenizer is known
    assert "the tokenizer of vicuna-v15-7b is not on this machine" in _ablate("data", "stats", study, study=study)
    assert not (study.parent / "store" / layout.TEXT_LENGTHS).exists()


def test_data_are_described_where_their_lengths_cannot_be_kept(study: Path) -> None:
    (study.parent / "store").write_text("a file")
    (measured,) = _measure(study)["tokens"]
    assert measured["tokens"]["most"] == 23
    assert "not kept for `ablate plan`" in measured["note"]


def test_a_damaged_record_is_named_and_lengths_are_assumed(study: Path, caplog: pytest.LogCaptureFixture) -> None:
    _measure(study)
    (study.parent / "store" / layout.TEXT_LENGTHS).write_bytes(b"{")
    assert _stage(study)["texts"]["lengths"] == "assumed"
    assert "lengths of texts are assumed until `ablate data stats` measures them again" in caplog.text


@pytest.mark.parametrize(("micro", "workers"), [(16, 8), (4, 8), (2, 8)])
def test_padding_of_measured_lengths_is_what_the_products_micro_batches_take(micro: int, workers: int) -> None:
    draws = np.random.default_rng(5)
    source = np.minimum(1500, 20 + draws.pareto(2.5, 4000) * 150).astype(int)  # not log-normal
    lengths, numbers = np.unique(source, return_counts=True)
    measured = MeasuredTexts.of(dict(zip(lengths.tolist(), numbers.tolist(), strict=True)))
    taken = needed = 0
    for _ in range(200):
        texts = draws.choice(source, 128, replace=False)
        of_ranks = [micro_batches(np.argsort(texts), rank, workers, micro) for rank in range(workers)]
        for batches in zip(*of_ranks, strict=True):
            taken += workers * micro * sequence(SIZE_7B, max(int(texts[batch].max()) for batch in batches))
        needed += sum(sequence(SIZE_7B, int(text)) for text in texts)
    resources = ResourceSpec(workers=workers, micro_batch=micro)
    assert padding(SIZE_7B, sized_stage(), resources, 0, 2048, measured) == pytest.approx(taken / needed, rel=0.06)
