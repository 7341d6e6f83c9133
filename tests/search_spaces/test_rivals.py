"""Claims about fields of which only one may be set."""

from __future__ import annotations

from search_spaces.rivals import is_configuration, replaced_fields, rival


def test_a_field_knows_its_rival_at_any_depth() -> None:
    assert rival("epochs") == "max_steps"
    assert rival("recipe.align.schedule.warmup_ratio") == "recipe.align.schedule.warmup_steps"
    assert rival("vision.resize") is None


def test_fields_are_replaced_in_whatever_words_they_are_set() -> None:
    low = {"epochs": 2, "vision.resize": "crop", "language": "a", "vision": {"tokens": 4}}
    high = {"max_steps": 10, "vision": {"resize": "naive"}, "language.model": "b"}
    assert set(replaced_fields(low, high)) == {("epochs",), ("vision.resize",), ("language",)}


def test_a_null_takes_no_rivals_place() -> None:
    assert not list(replaced_fields({"epochs": 2}, {"max_steps": None}))


def test_configurations_are_the_base_the_recipe_arms_and_labels_of_axes() -> None:
    paths = [("base",), ("recipe",), ("arms", "a"), ("axes", "name", "label"), ("axes",), ("axes", "name"), ()]
    assert [is_configuration(path) for path in paths] == [True, True, True, True, False, False, False]
