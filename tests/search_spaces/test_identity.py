"""Claims about keys: what is one piece of work, and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from search_spaces.identity import (
    PRECISION_VERSIONS,
    Memo,
    arm_fingerprint,
    canonical_json,
    declared_stage_key,
    features_key,
    fingerprint,
    needed_digests,
    pictures_name,
    source_name,
    stage_key,
    trial_fingerprint,
    trial_id,
    weights_name,
)
from search_spaces.spec import (
    LanguageSpec,
    MixPart,
    MixSpec,
    OptimizerSpec,
    Precision,
    ProjectorSpec,
    SourceSpec,
    StageSpec,
    TokenizerSpec,
    TrialSpec,
    VisionSpec,
)

SOURCE = SourceSpec(name="a", version="1", reader="generated", records=10, options={"x": 1})
VISION = VisionSpec(
    backbone="b",
    arch="a",
    family="conv",
    weights="random",
    checkpoint=None,
    resolution=64,
    resize="naive",
    interpolate=False,
    patch=32,
    width=8,
    tokens=4,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)
STAGE = StageSpec(
    name="finetune",
    trains=("projector",),
    data=MixSpec(name="m", parts=(MixPart(source=SOURCE, drop=("x",)),)),
    epochs=1.5,
    global_batch=4,
    optimizer=OptimizerSpec(lr=1e-3),
)
TRIAL = TrialSpec(
    vision=VISION,
    projector=ProjectorSpec(kind="linear"),
    language=LanguageSpec(
        name="l",
        family="llama",
        checkpoint=None,
        config={"hidden_size": 8, "a": 1.0},
        tokenizer=TokenizerSpec(kind="words", source=SOURCE),
        prompt="bare",
        width=8,
        max_length=16,
    ),
    stages=(STAGE, STAGE.model_copy(update={"name": "t"})),
    seed=7,
)
DIGESTS = {source_name(SOURCE): "d"}
PICTURES = {pictures_name(source_name(SOURCE)): "p"}


def test_keys_are_what_they_have_always_been() -> None:
    """Hold keys still: a change makes everybody's finished work unknown; raise TRAINER_VERSION knowingly instead."""
    assert trial_fingerprint(TRIAL).startswith("66f46b937ac5a615")
    assert declared_stage_key(TRIAL, 1, (3, None)).startswith("4b63627e7447534e")
    assert (stage_key(TRIAL, 1, (3, 4), DIGESTS) or "").startswith("65d467472f815d58")
    assert (features_key(VISION, SOURCE, 7, PICTURES) or "").startswith("5ef03be78f2263db")


def test_the_version_of_bf16_is_in_the_keys_of_its_stages_and_of_stages_after_them_alone() -> None:
    first, second = TRIAL.stages
    mixed = replace(TRIAL, stages=(first, second.model_copy(update={"precision": "bf16"})))
    with pytest.MonkeyPatch.context() as patch:
        before = [stage_key(mixed, index, (3, 4), DIGESTS) for index in (0, 1)]
        patch.setitem(PRECISION_VERSIONS, "bf16", 3)
        after = [stage_key(mixed, index, (3, 4), DIGESTS) for index in (0, 1)]
        assert (before[0] == after[0], before[1] == after[1]) == (True, False)
        assert trial_fingerprint(mixed) == trial_fingerprint(mixed, Memo())
    assert set(PRECISION_VERSIONS) == set(get_args(Precision))


def test_memo_changes_no_key() -> None:
    memo = Memo()
    for _ in range(2):
        assert trial_fingerprint(TRIAL, memo) == trial_fingerprint(TRIAL)
        assert declared_stage_key(TRIAL, 0, (3, 4), memo) == declared_stage_key(TRIAL, 0, (3, 4))
        assert declared_stage_key(TRIAL, 0, (None, 4), memo) == declared_stage_key(TRIAL, 0, (None, 4))
        assert stage_key(TRIAL, 1, (3, 4), DIGESTS, memo) == stage_key(TRIAL, 1, (3, 4), DIGESTS)
        assert arm_fingerprint(TRIAL, memo) == arm_fingerprint(TRIAL)


@pytest.mark.parametrize(
    "change",
    [
        {"language": TRIAL.language.model_copy(update={"name": "other label"})},
        {"vision": VISION.model_copy(update={"backbone": "other label"})},
        {"stages": (STAGE.model_copy(update={"data": STAGE.data.model_copy(update={"name": "x"})}), TRIAL.stages[1])},
    ],
)
def test_labels_are_no_part_of_identity(change: dict[str, Any]) -> None:
    assert trial_fingerprint(replace(TRIAL, **change)) == trial_fingerprint(TRIAL)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"vision": VISION.model_copy(update={"tokens": 1})},
        {"projector": ProjectorSpec(kind="gelu-mlp")},
        {"stages": (STAGE,)},
    ],
)
def test_what_changes_weights_changes_the_trial(change: dict[str, Any]) -> None:
    assert trial_fingerprint(replace(TRIAL, **change)) != trial_fingerprint(TRIAL)


def test_arm_is_a_trial_without_its_seed() -> None:
    assert arm_fingerprint(replace(TRIAL, seed=8)) == arm_fingerprint(TRIAL)


def test_epochs_and_equally_many_steps_are_one_stage() -> None:
    by_steps = STAGE.model_copy(update={"epochs": None, "max_steps": 3})
    by_max_steps = replace(TRIAL, stages=(by_steps, TRIAL.stages[1]))
    assert declared_stage_key(by_max_steps, 0, (3, 4)) == declared_stage_key(TRIAL, 0, (3, 4))


def test_stage_has_no_key_while_a_digest_or_its_steps_are_unknown() -> None:
    assert stage_key(TRIAL, 0, (3, 4), {}) is None
    assert stage_key(TRIAL, 0, (None, 4), DIGESTS) is None
    assert needed_digests(TRIAL, 0) == (source_name(SOURCE),)


def test_stage_key_follows_the_content_of_its_data() -> None:
    assert stage_key(TRIAL, 0, (3, 4), DIGESTS) != stage_key(TRIAL, 0, (3, 4), {source_name(SOURCE): "e"})


def test_stage_key_follows_the_content_of_pretrained_weights_whatever_they_are_called() -> None:
    pretrained = replace(TRIAL, language=TRIAL.language.model_copy(update={"checkpoint": "hub:o/m@main"}))
    keys = {stage_key(pretrained, 0, (3, 4), {**DIGESTS, weights_name("hub:o/m@main"): digest}) for digest in "ab"}
    assert len(keys - {None}) == 2
    assert stage_key(pretrained, 0, (3, 4), DIGESTS) is None


def test_stages_of_other_lengths_share_nothing_as_a_schedule_looks_ahead_to_the_end() -> None:
    assert declared_stage_key(TRIAL, 0, (3, 4)) == declared_stage_key(TRIAL, 0, (3, 9))
    assert declared_stage_key(TRIAL, 0, (3, 4)) != declared_stage_key(TRIAL, 0, (6, 4))


def test_many_configurations_that_differ_in_one_field_have_keys_of_256_bits_without_a_collision() -> None:
    rates = [1e-3 + i * 1e-9 for i in range(300)]
    trials = [
        replace(TRIAL, seed=seed, stages=(STAGE.model_copy(update={"optimizer": optimizer}),))
        for optimizer in (OptimizerSpec(lr=rate) for rate in rates)
        for seed in range(5)
    ]
    keys = {trial_fingerprint(trial) for trial in trials}
    assert len(keys) == len(trials)
    assert {len(key) for key in keys} == {64}
    assert len({trial_id(trial, "base") for trial in trials}) == len(trials)


def test_features_are_keyed_by_pictures_whatever_their_source_is_called_or_says() -> None:
    key = features_key(VISION, SOURCE, 7, PICTURES)
    other = SOURCE.model_copy(update={"name": "other", "options": {"split": "test"}})
    assert features_key(VISION, other, 7, {pictures_name(source_name(other)): "p"}) == key
    assert features_key(VISION, SOURCE, 7, {**PICTURES, source_name(SOURCE): "other texts"}) == key
    assert features_key(VISION, SOURCE, 7, {pictures_name(source_name(SOURCE)): "q"}) != key
    assert features_key(VISION, SOURCE, 7, DIGESTS) is None


def test_trial_id_is_a_readable_slug_and_digits() -> None:
    assert (
        trial_id(TRIAL, "vision.resize=Naive,epochs=2")
        == f"vision-resize-naive-epochs-2-s7-{trial_fingerprint(TRIAL)[:12]}"
    )


def test_integral_floats_and_integers_are_one_number() -> None:
    assert canonical_json({"b": 1.0, "a": 1e-5}) == '{"a":1e-05,"b":1}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, {1, 2}, object(), print])
def test_value_without_a_canonical_form_raises(value: object) -> None:
    with pytest.raises(TypeError, match="canonical form"):
        fingerprint({"x": [value]})
