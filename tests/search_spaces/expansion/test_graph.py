"""Claims about the graph of work: what trials share, and which features are cached."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.expansion.expand import expand_study, plan_expansion, plan_study
from search_spaces.plan import Node
from search_spaces.study_files import load_study
from tests.support.small_studies import BASE, plan_of, stage_nodes


def test_equal_stages_are_one_node(tmp_path: Path) -> None:
    text = BASE.replace("[finetune]", "[align, finetune]") + "axes: {epochs: [1, 2, 3]}\nseeds: [7, 8]\n"
    plan = plan_of(tmp_path, text)
    aligns = [node for node in stage_nodes(plan) if node.name == "align"]
    assert [len(node.trials) for node in aligns] == [3, 3]  # one for each seed: replicates share nothing trained
    finetunes = [node for node in stage_nodes(plan) if node.name == "finetune"]
    assert len(finetunes) == 6
    assert {node.after for node in finetunes} == {node.id for node in aligns}


def test_path_of_a_trial_is_features_then_stages_then_evaluation() -> None:
    plan = plan_study(load_study("quickstart"))
    trial = next(trial for trial in plan.trials if trial.arm == "stages=align+finetune")
    nodes = [plan.nodes[name] for name in trial.path]
    assert [node.kind for node in nodes] == ["features", "features", "stage", "stage", "evaluation"]
    assert nodes[2].after == nodes[0].id
    assert nodes[3].after == nodes[2].id
    assert nodes[4].after == nodes[3].id
    assert nodes[4].id.removeprefix("evaluation-") == trial.id[-12:]


def test_features_of_a_frozen_encoder_are_shared_by_all_arms_that_see_alike() -> None:
    plan = plan_study(load_study("quickstart"))
    features = {node.name: node for node in plan.nodes.values() if node.kind == "features" and len(node.trials) > 1}
    shared = features["efficientnet-lite0 64 px on easy-vqa-1500"]
    assert shared.bytes == 1500 * 2 * 2 * 1280 * 4
    arms = {trial.arm for trial in plan.trials if trial.id in shared.trials}
    assert arms == {"base", "stages=align+finetune", "epochs=2", "data=no-negation", "vision.tokens=1"}


def test_sources_with_the_same_pictures_share_one_node_of_features(tmp_path: Path) -> None:
    text = BASE.replace("llava-v15", "llava-lrv", 1).replace("data: llava-v15", "data: llava-lrv")
    weights = {"weights:hub:timm/vit_large_patch14_clip_336.openai": "0"}
    names = ("pictures:llava-mix665k@1", "pictures:lrv-instruct@1")

    def features(*digests: str) -> list[Node]:
        known = weights | dict(zip(names, digests, strict=False))
        plan = plan_of(tmp_path, text, features="cache", digests=known)
        return [node for node in plan.nodes.values() if node.kind == "features"]

    assert len(features()) == 2
    assert len({node.key for node in features("one", "other")}) == 2
    (shared,) = features("same", "same")
    assert shared.sources == ("source:llava-mix665k@1", "source:lrv-instruct@1")


def test_random_encoder_has_features_of_its_own_for_each_seed() -> None:
    plan = plan_study(load_study("quickstart"))
    first, second = (trial for trial in plan.trials if trial.arm == "vision.weights=random")
    assert not set(first.path) & set(second.path)


def test_encoder_that_is_trained_has_no_cached_features(tmp_path: Path) -> None:
    text = BASE.replace("[finetune]", "[full-finetune]")
    assert all(node.kind != "features" for node in plan_of(tmp_path, text, features="cache").nodes.values())


def test_features_beyond_the_budget_are_not_cached_and_a_note_says_so(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, BASE)
    assert all(node.kind != "features" for node in plan.nodes.values())
    assert any("not cached: 1 source could take 1,473.6 GB" in note for note in plan.notes)
    cached = plan_of(tmp_path, BASE, features_budget_bytes=2 * 10**12)
    assert [node.bytes for node in cached.nodes.values() if node.kind == "features"] == [624_610 * 576 * 1024 * 4]


@pytest.mark.parametrize(("features", "cached"), [("cache", True), ("stream", False)])
def test_features_may_be_cached_or_streamed_by_choice(tmp_path: Path, features: str, cached: bool) -> None:
    plan = plan_of(tmp_path, BASE, features=features)
    assert any(node.kind == "features" for node in plan.nodes.values()) == cached


def test_keys_are_there_once_all_digests_are_and_until_then_what_is_missing_is_named(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, BASE)
    (stage,) = stage_nodes(plan)
    assert stage.key is None
    assert set(stage.missing) == {
        "source:llava-mix665k@1",
        "weights:hub:timm/vit_large_patch14_clip_336.openai",
        "weights:hub:lmsys/vicuna-7b-v1.5@main",
    }
    (known,) = stage_nodes(plan_of(tmp_path, BASE, digests=dict.fromkeys(stage.missing, "0")))
    assert known.key is not None
    assert known.missing == ()
    assert known.id == stage.id


def test_steps_of_uncounted_data_are_missing_until_counts_are_known(tmp_path: Path) -> None:
    text = BASE + "sources: {mine: {reader: parquet, path: x}}\nmixes: {llava-v15: {parts: [{source: mine}]}}\n"
    (stage,) = stage_nodes(plan_of(tmp_path, text))
    assert stage.steps is None
    assert "counts of source:mine@1" in stage.missing
    counts = {"source:mine@1": {"records": 256, "text_only": 0, "images": 256, "tags": {}}}
    (stage,) = stage_nodes(plan_of(tmp_path, text, counts=counts))
    assert stage.steps == 2


def test_an_expansion_that_is_planned_again_with_other_digests_and_caches_has_all_nodes_of_its_paths() -> None:
    expansion = expand_study(load_study("quickstart"))
    streamed, cached = (plan_expansion(expansion, features=choice) for choice in ("stream", "cache"))
    missing = {name for node in cached.nodes.values() for name in node.missing}
    known = plan_expansion(expansion, features="cache", digests=dict.fromkeys(missing, "0" * 64))
    for planned, kinds in ((streamed, {"stage", "evaluation"}), (cached, {"features", "stage", "evaluation"})):
        assert {planned.nodes[name].kind for trial in planned.trials for name in trial.path} == kinds
    assert all(known.nodes[name].key for trial in known.trials for name in trial.path[:-1])
