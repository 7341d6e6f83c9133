"""A wrong path is near to fields of the study's own base."""

from __future__ import annotations

from search_spaces.field_paths import base_fields, near_fields, stage_fields


def test_fields_have_dotted_paths() -> None:
    assert {"vision.tokens", "projector.depth", "epochs"} <= base_fields().keys()
    assert {"optimizer.lr", "optimizer.lr_scale.vision", "lora.rank"} <= stage_fields().keys()


def test_only_fields_of_the_bases_stages_are_near() -> None:
    assert near_fields("lr", ["finetune"]) == ["recipe.finetune.optimizer.lr"]
    assert near_fields("lr", ["align", "tune"]) == ["recipe.align.optimizer.lr", "recipe.tune.optimizer.lr"]
    assert near_fields("lr", ["finetune"], taken=["recipe.finetune.optimizer.lr"]) == []
    assert near_fields("vision.token", ["finetune"]) == ["vision.tokens"]
