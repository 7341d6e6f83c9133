"""Claims about the arithmetic of steps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError
from search_spaces.identity import source_name
from search_spaces.spec import MixPart, MixSpec, OptimizerSpec, SourceSpec, StageSpec
from search_spaces.steps import (
    Modalities,
    epoch_steps,
    has_approximate_steps,
    mix_modalities,
    stage_steps,
    uncounted_sources,
)

MIX665K = SourceSpec(name="mix", version="1", reader="llava", records=665_298, text_only_records=40_688)
TAGGED = SourceSpec(name="tagged", version="1", reader="llava", records=100, tags={"a": 70, "b": 30})
UNKNOWN = SourceSpec(name="unknown", version="1", reader="llava")


def _mix(*parts: MixPart) -> MixSpec:
    return MixSpec(name="mix", parts=parts)


def _stage(source: SourceSpec, batch: int = 128, **fields: Any) -> StageSpec:
    mix = _mix(MixPart(source=source))
    return StageSpec(
        name="s", trains=("projector",), data=mix, global_batch=batch, optimizer=OptimizerSpec(lr=1e-3), **fields
    )


def test_steps_of_an_epoch_sum_the_batches_of_each_modality() -> None:
    assert epoch_steps(Modalities(624_610, 40_688), 128) == 4880 + 318
    assert epoch_steps(Modalities(40, 20), 16) == 3 + 2
    assert epoch_steps(Modalities(0, 1), 16) == 1


def test_steps_of_llava_are_those_published() -> None:
    assert stage_steps(_stage(MIX665K, epochs=1), {}) == 5198


@pytest.mark.parametrize(("epochs", "steps"), [(1.25, 6498), (0.1, 520), (2, 10_396)])
def test_fractions_of_epochs_round_up_once(epochs: float, steps: int) -> None:
    assert stage_steps(_stage(MIX665K, epochs=epochs), {}) == steps


def test_decimal_fractions_are_exact() -> None:
    thirty = SourceSpec(name="x", version="1", reader="llava", records=30)
    assert stage_steps(_stage(thirty, batch=1, epochs=0.1), {}) == 3  # 0.1 * 30 is 3.0000000000000004 in floats


def test_max_steps_need_no_counts() -> None:
    assert stage_steps(_stage(UNKNOWN, max_steps=7), {}) == 7


def test_steps_of_uncounted_data_are_unknown_until_they_are_counted() -> None:
    stage = _stage(UNKNOWN, batch=10, epochs=1)
    assert stage_steps(stage, {}) is None
    assert uncounted_sources(stage.data, {}) == (source_name(UNKNOWN),)
    realised = {source_name(UNKNOWN): {"records": 25, "text_only": 5, "images": 20, "tags": {}}}
    assert stage_steps(stage, realised) == 2 + 1


def test_realised_counts_take_the_place_of_declared_ones() -> None:
    realised = {source_name(TAGGED): {"records": 10, "text_only": 0, "images": 10, "tags": {"a": 10, "b": 0}}}
    assert mix_modalities(_mix(MixPart(source=TAGGED)), realised) == Modalities(10, 0)


def test_dropped_tags_leave_the_rest() -> None:
    assert mix_modalities(_mix(MixPart(source=TAGGED, drop=("a",))), {}) == Modalities(30, 0)
    assert mix_modalities(_mix(MixPart(source=MIX665K, drop=("text-only",))), {}) == Modalities(624_610, 0)


def test_parts_add_up_and_repeat() -> None:
    mix = _mix(MixPart(source=TAGGED, repeat=3), MixPart(source=MIX665K, count=1000))
    records = mix_modalities(mix, {})
    assert records is not None
    assert records.records == 300 + 1000
    assert records.text == 61


def test_mix_without_records_is_refused() -> None:
    with pytest.raises(InputError, match="at least one record"):
        mix_modalities(_mix(MixPart(source=TAGGED, drop=("a", "b"))), {})


def test_count_beyond_what_is_there_is_refused() -> None:
    with pytest.raises(InputError, match="at most the 30 records"):
        mix_modalities(_mix(MixPart(source=TAGGED, drop=("a",), count=31)), {})


def test_unknown_tag_is_refused_with_the_nearest() -> None:
    tagged = SourceSpec(name="t", version="1", reader="llava", records=9, tags={"negated": 4, "color": 5})
    with pytest.raises(InputError, match="negatd") as caught:
        mix_modalities(_mix(MixPart(source=tagged, drop=("negatd",))), {})
    assert caught.value.way_out == "Did you mean 'negated'?"


@given(
    image=st.integers(0, 10_000),
    text=st.integers(0, 10_000),
    fraction=st.floats(0.001, 1, allow_nan=False),
)
def test_fraction_splits_over_modalities_without_losing_records(image: int, text: int, fraction: float) -> None:
    source = SourceSpec(name="s", version="1", reader="llava", records=image + text, text_only_records=text)
    mix = _mix(MixPart(source=source, fraction=fraction))
    if round(fraction * (image + text)) == 0:
        with pytest.raises(InputError):
            mix_modalities(mix, {})
        return
    records = mix_modalities(mix, {})
    assert records is not None
    assert records.records == round(fraction * (image + text))
    assert 0 <= records.image <= image
    assert 0 <= records.text <= text


@pytest.mark.parametrize(
    ("mix", "batch", "steps"),
    [
        ("llava-v15", 128, 5198),
        ("llava-align", 256, 2181),
        ("llava-multimodal", 128, 4880),
        ("llava-lrv", 128, 7876),
        ("llava-lvis4v", 128, 6938),
        ("llava-lvis4v-lrv", 128, 9616),
    ],
)
def test_steps_of_the_papers_mixes_follow_from_declared_counts(mix: str, batch: int, steps: int) -> None:
    records = mix_modalities(_shipped_mix(mix), {})
    assert records is not None
    assert epoch_steps(records, batch) == steps


def test_only_mixes_with_rounded_counts_have_approximate_steps_until_the_data_are_counted() -> None:
    rounded = {
        name
        for name in shipped().mixes
        if has_approximate_steps(_stage(MIX665K, epochs=1).model_copy(update={"data": _shipped_mix(name)}), {})
    }
    assert rounded == {"llava-lvis4v", "llava-lvis4v-lrv"}
    stage = _stage(MIX665K, max_steps=7).model_copy(update={"data": _shipped_mix("llava-lvis4v")})
    assert not has_approximate_steps(stage, {})
    counted = {source_name(part.source): {"records": 1} for part in _shipped_mix("llava-lvis4v").parts}
    assert not has_approximate_steps(stage.model_copy(update={"max_steps": None, "epochs": 1}), counted)


def _shipped_mix(name: str) -> MixSpec:
    sources = shipped().sources
    parts = []
    for part in shipped().mixes[name].parts:
        source = SourceSpec(name=part.source, **sources[part.source].model_dump(exclude={"source"}))
        parts.append(MixPart(**{**part.model_dump(), "source": source}))
    return _mix(*parts)


def test_what_a_part_drops_of_lost_images_is_known_when_they_are_counted() -> None:
    source = MIX665K.model_copy(update={"without": ("missing",)})
    part = MixPart(source=source, drop=("missing", "text-only"))
    stage = _stage(source, epochs=1).model_copy(update={"data": _mix(part)})
    assert (stage_steps(stage, {}), has_approximate_steps(stage, {})) == (4880, True)
    counted = {source_name(source): {"records": 665_298 - 355, "text_only": 40_688, "images": 9, "tags": {}}}
    assert (stage_steps(stage, counted), has_approximate_steps(stage, counted)) == (4877, False)
    assert source_name(source) != source_name(MIX665K)
