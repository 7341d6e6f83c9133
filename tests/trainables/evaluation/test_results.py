"""Scores keep their keys: what is added to a study later is no part of them where it has its default."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search_spaces import identity
from search_spaces.identity import source_name
from search_spaces.spec import BenchmarkSpec, SourceSpec, TokenizerSpec
from tests.support.tiny_specs import language, trial_spec
from trainables.evaluation.results import evaluation_key
from trainables.storage.records import StageResult

SOURCE = SourceSpec(name="a", version="1", reader="generated", records=10)
BENCHMARK = BenchmarkSpec(id="b", source=SOURCE, select="shape")


def test_keys_of_scores_are_what_they_have_always_been() -> None:
    """Hold keys still: a change scores everybody's models anew; leave a new option out at its default instead."""
    digests = {source_name(SOURCE): "d"}
    reading = language(tokenizer=TokenizerSpec(kind="words", source=SOURCE))
    assert evaluation_key(trial_spec(language=reading), digests, BENCHMARK, []).startswith("1a1fc2d83e1496b6")
    assert evaluation_key(trial_spec(language=language()), digests, BENCHMARK, []).startswith("52f7e38389fb78bd")


def test_scores_of_large_models_have_the_version_of_their_batches_and_those_of_small_ones_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    digests = {source_name(SOURCE): "d"}
    models = [trial_spec(language=language(width=width)) for width in (1024, 1025)]
    before = [evaluation_key(model, digests, BENCHMARK, []) for model in models]
    monkeypatch.setattr(identity, "BATCHES_VERSION", identity.BATCHES_VERSION + 1)
    small, large = (evaluation_key(model, digests, BENCHMARK, []) for model in models)
    assert small == before[0]
    assert large != before[1]


def test_scores_with_other_images_have_keys_of_their_own() -> None:
    digests = {source_name(SOURCE): "d"}
    keys = [
        evaluation_key(trial_spec(), digests, BENCHMARK.model_copy(update={"images": images}), [])
        for images in ("own", "blank", "swapped")
    ]
    assert keys[0] == evaluation_key(trial_spec(), digests, BENCHMARK, [])
    assert len(set(keys)) == 3


def test_new_weights_are_scored_anew_although_their_files_are_called_the_same() -> None:
    digests = {source_name(SOURCE): "d"}
    trained = StageResult(
        key="k", name="finetune", steps=1, modules={"projector": "a"}, final_loss=0.5, diverged=False,
        losses_digest="l", gpu_seconds=1.0, samples_per_second=1.0, counts={}, provenance={},
    )  # fmt: skip
    again = replace(trained, modules={"projector": "b"})
    keys = [evaluation_key(trial_spec(), digests, BENCHMARK, [result]) for result in (trained, again)]
    assert keys[0] != keys[1]
    assert evaluation_key(trial_spec(), digests, BENCHMARK, [replace(trained, gpu_seconds=2.0)]) == keys[0]
