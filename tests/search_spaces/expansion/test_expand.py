"""Claims about expansion: which arms and trials a study has, what they share, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.errors import InputError, InputProblemsError
from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Node, Plan
from search_spaces.study_files import load_study

BASE = """\
study: test
base:
  vision: {backbone: clip-vit-l-336px}
  projector: gelu-mlp
  language: vicuna-v15-7b
  stages: [finetune]
  epochs: 1
  data: llava-v15
recipe: prismatic
"""


def _plan(folder: Path, text: str, **options: Any) -> Plan:
    path = folder / "study.yaml"
    path.write_text(text)
    return plan_study(load_study(str(path)), **options)


def _names(plan: Plan) -> list[str]:
    return [arm.name for arm in plan.arms]


def _stages(plan: Plan) -> list[Node]:
    return [node for node in plan.nodes.values() if node.kind == "stage"]


def _problems(folder: Path, text: str) -> list[InputError]:
    with pytest.raises(InputError) as caught:
        _plan(folder, text)
    return list(caught.value.problems) if isinstance(caught.value, InputProblemsError) else [caught.value]


# ---------------------------------------------------------------- arms


def test_one_at_a_time_varies_each_axis_alone_and_folds_the_base_value(tmp_path: Path) -> None:
    axes = "axes: {vision.resize: [letterbox, naive, crop], epochs: [1, 2]}\n"
    plan = _plan(tmp_path, BASE + axes)
    assert _names(plan) == ["base", "vision.resize=naive", "vision.resize=crop", "epochs=2"]
    assert plan.arms[1].difference == {"vision.resize": "naive"}
    assert plan.arms[1].values == {"vision.resize": "naive", "epochs": "1"}


def test_value_that_a_default_would_give_is_the_base_value(tmp_path: Path) -> None:
    axes = "axes: {vision.tokens: [576, 144], vision.weights: [pretrained], vision.resolution: [336]}\n"
    assert _names(_plan(tmp_path, BASE + axes)) == ["base", "vision.tokens=144"]


def test_grid_has_every_combination_named_in_file_order(tmp_path: Path) -> None:
    axes = "axes: {vision.resize: [letterbox, naive], epochs: [1, 2]}\ndesign: grid\n"
    assert _names(_plan(tmp_path, BASE + axes)) == [
        "base",
        "epochs=2",
        "vision.resize=naive",
        "vision.resize=naive,epochs=2",
    ]


def test_grid_whose_axes_leave_the_base_out_has_no_base(tmp_path: Path) -> None:
    plan = _plan(tmp_path, BASE + "axes: {vision.resize: [crop, naive]}\ndesign: grid\n")
    assert _names(plan) == ["vision.resize=crop", "vision.resize=naive"]


def test_base_comes_first_wherever_a_grid_has_it(tmp_path: Path) -> None:
    plan = _plan(tmp_path, BASE + "axes: {vision.resize: [crop, letterbox]}\ndesign: grid\n")
    assert _names(plan) == ["base", "vision.resize=crop"]


def test_list_has_the_base_and_the_named_arms(tmp_path: Path) -> None:
    arms = "arms: {small: {vision: clip-vit-l, note: why}, long: {epochs: 2, vision.resize: crop}}\n"
    plan = _plan(tmp_path, BASE + arms + "design: list\naxes: {vision.resize: [letterbox, crop], epochs: [1, 3]}\n")
    assert _names(plan) == ["base", "small", "long"]
    assert plan.arms[1].difference == {"vision.backbone": "clip-vit-l"}
    assert plan.arms[1].note == "why"
    assert plan.arms[2].values == {"vision.resize": "crop", "epochs": "2"}


def test_an_arm_without_changes_names_the_base(tmp_path: Path) -> None:
    arms = "arms: {long: {epochs: 2}, published+7b: {note: as in the paper}}\ndesign: list\nbenchmarks: [gqa]\n"
    claim = "hypotheses: [{id: h, claim: c, pairs: [[published+7b, long]], expect: better}]\n"
    plan = _plan(tmp_path, BASE + arms + claim)
    assert _names(plan) == ["published+7b", "long"]
    assert (plan.base, plan.arms[0].note, plan.arms[0].difference) == ("published+7b", "as in the paper", {})


def test_the_base_has_one_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the base must have one name, but 'one' and 'two' both change nothing"):
        _plan(tmp_path, BASE + "arms: {one: {}, two: {note: again}}\ndesign: list\n")


def test_named_value_may_patch_several_fields(tmp_path: Path) -> None:
    axes = "axes:\n  small:\n    224px: {vision: {backbone: clip-vit-l, resize: naive}}\n    336px: {}\n"
    plan = _plan(tmp_path, BASE + axes)
    assert _names(plan) == ["base", "small=224px"]
    assert plan.arms[0].values == {"small": "336px"}
    assert plan.arms[1].difference == {"vision.backbone": "clip-vit-l", "vision.resize": "naive"}


def test_labelled_scalars_and_lists_of_a_path_are_values(tmp_path: Path) -> None:
    axes = "axes:\n  stages: {one: [finetune], two: [align, finetune]}\n  epochs: {short: 1, long: 3}\n"
    assert _names(_plan(tmp_path, BASE + axes)) == ["base", "stages=two", "epochs=long"]


def test_labels_are_what_the_author_wrote(tmp_path: Path) -> None:
    axes = "axes: {recipe.finetune.optimizer.lr: [2e-5, 1e-5], stages: [[finetune], [align, finetune]]}\n"
    assert _names(_plan(tmp_path, BASE + axes)) == [
        "base",
        "recipe.finetune.optimizer.lr=1e-5",
        "stages=align+finetune",
    ]


def test_zipped_axes_vary_together(tmp_path: Path) -> None:
    axes = "axes: {vision.resize: [letterbox, naive, crop], data: [llava-v15, llava-multimodal], epochs: [1, 2, 3]}\n"
    plan = _plan(tmp_path, BASE + axes + "zip: [[vision.resize, epochs]]\n")
    assert _names(plan) == [
        "base",
        "vision.resize=naive,epochs=2",
        "vision.resize=crop,epochs=3",
        "data=llava-multimodal",
    ]


def test_excluded_arms_are_listed_with_their_reason_and_never_resolved(tmp_path: Path) -> None:
    axes = "axes: {vision.backbone: [clip-vit-l-336px, clip-vit-l], vision.tokens: [576, 256]}\ndesign: grid\n"
    exclude = "exclude: [{where: {vision.backbone: clip-vit-l, vision.tokens: 576}, reason: only 256 patches}]\n"
    plan = _plan(tmp_path, BASE + axes + exclude)
    assert [(one.arm, one.reason) for one in plan.excluded] == [("vision.backbone=clip-vit-l", "only 256 patches")]
    assert _names(plan) == ["base", "vision.tokens=256", "vision.backbone=clip-vit-l,vision.tokens=256"]


def test_exclusion_that_fits_no_arm_is_noted(tmp_path: Path) -> None:
    text = (
        "axes: {vision.resize: [crop], epochs: [2]}\nexclude: [{where: {vision.resize: crop, epochs: 2}, reason: x}]\n"
    )
    assert "exclude[0] fits no arm" in _plan(tmp_path, BASE + text).notes


def test_max_steps_take_the_place_of_epochs(tmp_path: Path) -> None:
    plan = _plan(tmp_path, BASE + "axes: {max_steps: [6500]}\n")
    assert plan.arms[1].difference == {"max_steps": 6500, "epochs": None}
    assert [node.steps for node in _stages(plan)] == [5198, 6500]


def test_recipe_may_be_changed_in_the_study(tmp_path: Path) -> None:
    text = BASE.replace(
        "recipe: prismatic", "recipe: {extends: prismatic, finetune: {optimizer: {clip: null}, precision: fp32}}"
    )
    stage = _plan(tmp_path, text).trials[0].spec.stages[0]
    assert (stage.optimizer.clip, stage.optimizer.lr, stage.precision) == (None, 2e-5, "fp32")


def test_recipe_may_be_the_studys_own(tmp_path: Path) -> None:
    own = "recipe: {finetune: {trains: [projector], global_batch: 8, max_steps: 5, optimizer: {lr: 1e-3}}}"
    text = BASE.replace("recipe: prismatic", own).replace("  epochs: 1\n", "")
    assert [node.steps for node in _stages(_plan(tmp_path, text))] == [5]


def test_epochs_of_the_base_are_those_of_the_last_stage(tmp_path: Path) -> None:
    text = BASE.replace("[finetune]", "[align, finetune]").replace("epochs: 1", "epochs: 2")
    assert [(node.name, node.steps) for node in _stages(_plan(tmp_path, text))] == [
        ("align", 2181),
        ("finetune", 10396),
    ]


def test_entries_of_the_study_are_used_and_may_hide_shipped_ones(tmp_path: Path) -> None:
    own = """\
sources: {mine: {reader: parquet, path: mine, records: 256, images: 256}}
mixes: {llava-v15: {parts: [{source: mine}]}}
languages: {vicuna-v15-7b: {family: llama, checkpoint: "path:vicuna", prompt: vicuna-v15, width: 4096}}
backbones:
  tiny: {arch: test_vit, family: vit, resolution: 160, patch: 16, width: 64, mean: [0.5, 0.5, 0.5], std: [1, 1, 1]}
suites: {two: [gqa, {id: my-set, source: mine, sample: 10}]}
benchmarks: two
axes: {b: {x: {vision: {backbone: tiny, weights: random}}}}
"""
    plan = _plan(tmp_path, BASE + own)
    assert plan.trials[0].spec.language.checkpoint == "path:vicuna"
    assert [node.steps for node in _stages(plan)] == [2, 2]
    assert [one.id for one in plan.benchmarks] == ["gqa", "my-set"]
    assert plan.trials[1].spec.vision.arch == "test_vit"


# ---------------------------------------------------------------- trials and graph


def test_trials_come_arm_by_arm_with_the_base_first(tmp_path: Path) -> None:
    text = BASE + "axes: {epochs: [2]}\nseeds: {default: [7, 8], base: [7, 8, 9]}\n"
    plan = _plan(tmp_path, text)
    assert [(trial.arm, trial.seed) for trial in plan.trials] == [
        ("base", 7),
        ("base", 8),
        ("base", 9),
        ("epochs=2", 7),
        ("epochs=2", 8),
    ]


def test_limit_keeps_the_first_trials_and_what_they_need(tmp_path: Path) -> None:
    text = BASE + "axes: {epochs: [2, 3]}\nseeds: [7, 8]\n"
    whole, part = _plan(tmp_path, text), _plan(tmp_path, text, limit=3)
    assert [trial.id for trial in part.trials] == [trial.id for trial in whole.trials[:3]]
    assert _names(part) == ["base", "epochs=2"]
    assert len(_stages(part)) == 3
    assert part.digest == whole.digest


def test_equal_stages_are_one_node(tmp_path: Path) -> None:
    text = BASE.replace("[finetune]", "[align, finetune]") + "axes: {epochs: [1, 2, 3]}\nseeds: [7, 8]\n"
    plan = _plan(tmp_path, text)
    aligns = [node for node in _stages(plan) if node.name == "align"]
    assert [len(node.trials) for node in aligns] == [3, 3]  # one for each seed: replicates share nothing trained
    finetunes = [node for node in _stages(plan) if node.name == "finetune"]
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


def test_random_encoder_has_features_of_its_own_for_each_seed() -> None:
    plan = plan_study(load_study("quickstart"))
    one, other = (trial for trial in plan.trials if trial.arm == "vision.weights=random")
    assert not set(one.path) & set(other.path)


def test_encoder_that_is_trained_has_no_cached_features(tmp_path: Path) -> None:
    text = BASE.replace("[finetune]", "[full-finetune]")
    assert all(node.kind != "features" for node in _plan(tmp_path, text, features="cache").nodes.values())


def test_features_beyond_the_budget_are_not_cached_and_a_note_says_so(tmp_path: Path) -> None:
    plan = _plan(tmp_path, BASE)
    assert all(node.kind != "features" for node in plan.nodes.values())
    assert any("not cached: 1 source could take 1,473.6 GB" in note for note in plan.notes)
    cached = _plan(tmp_path, BASE, features_budget_bytes=2 * 10**12)
    assert [node.bytes for node in cached.nodes.values() if node.kind == "features"] == [624_610 * 576 * 1024 * 4]


@pytest.mark.parametrize(("features", "cached"), [("cache", True), ("stream", False)])
def test_features_may_be_cached_or_streamed_by_choice(tmp_path: Path, features: str, cached: bool) -> None:
    plan = _plan(tmp_path, BASE, features=features)
    assert any(node.kind == "features" for node in plan.nodes.values()) == cached


def test_keys_are_there_once_all_digests_are_and_until_then_what_is_missing_is_named(tmp_path: Path) -> None:
    plan = _plan(tmp_path, BASE)
    (stage,) = _stages(plan)
    assert stage.key is None
    assert set(stage.missing) == {
        "source:llava-mix665k@1",
        "weights:hub:timm/vit_large_patch14_clip_336.openai",
        "weights:hub:lmsys/vicuna-7b-v1.5@main",
    }
    (known,) = _stages(_plan(tmp_path, BASE, digests=dict.fromkeys(stage.missing, "0")))
    assert known.key is not None
    assert known.missing == ()
    assert known.id == stage.id


def test_steps_of_uncounted_data_are_missing_until_counts_are_known(tmp_path: Path) -> None:
    text = BASE + "sources: {mine: {reader: parquet, path: x}}\nmixes: {llava-v15: {parts: [{source: mine}]}}\n"
    (stage,) = _stages(_plan(tmp_path, text))
    assert stage.steps is None
    assert "counts of source:mine@1" in stage.missing
    counts = {"source:mine@1": {"records": 256, "text_only": 0, "images": 256, "tags": {}}}
    (stage,) = _stages(_plan(tmp_path, text, counts=counts))
    assert stage.steps == 2


def test_pixels_that_no_patch_covers_are_noted(tmp_path: Path) -> None:
    plan = _plan(tmp_path, BASE.replace("336px}", "336px, resolution: 384, interpolate: true}"))
    assert "clip-vit-l-336px: 384 px = 27 x 14 + 6 unused" in plan.notes
    assert plan.trials[0].spec.vision.tokens == 27 * 27


def test_resources_differ_by_arm_and_by_stage(tmp_path: Path) -> None:
    text = BASE + "resources: {workers: 8, zero: 2, stages: {finetune: {zero: 3}}}\n"
    text += "arms: {wide: {epochs: 2, resources: {workers: 16, stages: {finetune: {micro_batch: 4}}}}}\n"
    plan = _plan(tmp_path, text)
    base, wide = plan.arms
    assert (base.resources.workers, base.resources.zero, base.resources_of("finetune").zero) == (8, 2, 3)
    of_stage = wide.resources_of("finetune")
    assert (of_stage.workers, of_stage.zero, of_stage.micro_batch) == (16, 3, 4)
    assert wide.resources_of("align") == wide.resources


def test_resources_and_labels_change_no_key(tmp_path: Path) -> None:
    one = _plan(tmp_path, BASE)
    other = _plan(
        tmp_path, BASE.replace("study: test", "study: other") + "resources: {workers: 8, zero: 3}\nbenchmarks: [gqa]\n"
    )
    assert [trial.id for trial in one.trials] == [trial.id for trial in other.trials]
    assert [node.id for node in _stages(one)] == [node.id for node in _stages(other)]


@settings(max_examples=25, deadline=None)
@given(
    resizes=st.lists(st.sampled_from(["letterbox", "naive", "crop"]), min_size=1, unique=True),
    epochs=st.lists(st.sampled_from([1, 1.25, 2, 3]), min_size=1, unique=True),
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
)
def test_grid_has_all_combinations_once(
    tmp_path_factory: pytest.TempPathFactory, resizes: list[str], epochs: list[float], seeds: list[int]
) -> None:
    axes = f"axes: {{vision.resize: [{', '.join(resizes)}], epochs: {epochs}}}\ndesign: grid\nseeds: {seeds}\n"
    plan = _plan(tmp_path_factory.mktemp("grid"), BASE + axes)
    combinations = {(t.spec.vision.resize, t.spec.stages[0].epochs, t.seed) for t in plan.trials}
    assert len(plan.trials) == len(combinations) == len(resizes) * len(epochs) * len(seeds)
    assert len({trial.id for trial in plan.trials}) == len(plan.trials)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("old", "new", "key", "law", "way_out"),
    [
        ("clip-vit-l-336px", "clip-vit-l-366px", "base.vision.backbone", "'clip-vit-l-366px'", "clip-vit-l-336px"),
        ("336px}", "336px, resolution: 8}", "base.vision.resolution", "at least one patch (14 px), but got 8", None),
        ("336px}", "336px, resolution: 224}", "base.vision.resolution", "unless `vision.interpolate`", "clip-vit-l,"),
        ("336px}", "336px, tokens: 5}", "base.vision.tokens", "square number up to", "nearest is 4"),
        ("336px}", "336px, stride: 16}", "base.vision.stride", "must be left out", None),
        ("[finetune]", "[finetun]", "base.stages[0]", "but got 'finetun'", "'finetune'"),
        ("[finetune]", "[finetune, finetune]", "base.stages", "stages must differ", None),
        ("data: llava-v15", "data: llava-v16", "base.data", "but got 'llava-v16'", "'llava-v15'"),
        ("recipe: prismatic", "recipe: prizmatic", "recipe.extends", "but got 'prizmatic'", "'prismatic'"),
        ("vicuna-v15-7b", "vicuna-v15-8b", "base.language.model", "'vicuna-v15-8b'", "'vicuna-v15-7b'"),
        ("vicuna-v15-7b", "hub:a/b", "base.language.model", "must name a revision", "hub:a/b@main"),
        ("vicuna-v15-7b", "hub:a/b@1", "base.language.model", "needs `family`", None),
        ("vicuna-v15-7b", "{model: vicuna-v15-7b, family: phi}", "base.language.family", "must be llama", None),
        (
            "data: llava-v15",
            "data: {parts: [{source: easy-vqa, drop: [color, shape, yes-no, negated]}]}",
            "base.data",
            "at least one record",
            None,
        ),
        (
            "data: llava-v15",
            "data: {parts: [{source: easy-vqaa}]}",
            "base.data.parts[0].source",
            "easy-vqaa",
            "easy-vqa",
        ),
    ],
)
def test_base_that_cannot_be_is_refused(
    tmp_path: Path, old: str, new: str, key: str, law: str, way_out: str | None
) -> None:
    (problem,) = _problems(tmp_path, BASE.replace(old, new))
    assert problem.key == key
    assert law in problem.law
    assert way_out is None or way_out in (problem.way_out or "")
    line = next(number for number, line in enumerate(BASE.replace(old, new).splitlines(), 1) if new in line)
    assert problem.place == f"{tmp_path / 'study.yaml'}:{line}"


@pytest.mark.parametrize(
    ("text", "key", "law"),
    [
        ("axes: {vision.rezise: [crop]}", "axes.vision.rezise", "path of a field of the base"),
        ("axes: {resolution: [224]}", "axes.resolution", "path of a field of the base"),
        ("axes: {vision.resize: [crop, corp]}", "axes.vision.resize[1]", "must be one of letterbox"),
        ("axes: {r: {x: {vision.resize: 3}}}", "axes.r.x.vision.resize", "must be one of letterbox"),
        ("axes: {epochs: [2, 2]}", "axes.epochs[1]", "values of an axis must differ"),
        ("axes: {vision.tokens: [576, null]}", "axes.vision.tokens[1]", "values of an axis must differ"),
        ("axes: {epochs: []}", "axes.epochs", "at least one value"),
        ("axes: {epochs: 2}", "axes.epochs", "must be a list of values"),
        ("axes: {seeds: [1]}", "axes.seeds", "seeds are replicates"),
        ("axes: {resources.workers: [1]}", "axes.resources.workers", "resources change rounding"),
        ("axes: {vision.resize: [crop], r: {x: {vision.resize: naive}}}", "axes.r", "two axes must not set one field"),
        ("axes: {epochs: [2], max_steps: [9]}", "axes.max_steps", "two axes must not set one field"),
        ("axes: {r: {x: {epochs: 2, max_steps: 9}}}", "axes.r.x", "must not both be given"),
        ("axes: {epochs: [2], vision.resize: [crop, naive]}\nzip: [[epochs, vision.resize]]", "zip[0]", "equally many"),
        ("axes: {epochs: [2]}\nzip: [[epochs, epoch]]", "zip[0]", "must name axes"),
        ("axes: {epochs: [2]}\nexclude: [{where: {epochs: 3}, reason: x}]", "exclude[0].where.epochs", "but got '3'"),
        ("axes: {epochs: [2]}\nexclude: [{where: {epoch: 2}, reason: x}]", "exclude[0].where.epoch", "an axis"),
        ("arms: {a: {epochs: 2}, b: {epochs: 2}}", "arms.b", "one specification, but 'a' and 'b'"),
        ("arms: {a: {epochs: 1}}", "arms.a", "one specification, but 'base' and 'a'"),
        ("arms: {base: {epochs: 2}}", "arms.base", "names of arms must differ"),
        ("arms: {a: {epochs: 2, note: 3}}", "arms.a.note", "must be text"),
        ("arms: {a: {epochs: 2, resources: {worker: 3}}}", "arms.a.resources.worker", "but got 'worker'"),
        ("arms: {a: {epochs: 2, resources: {workers: 3}}}", "arms.a.resources", "128 = 42 x 3 + 2"),
        ("resources: {workers: 7}", "resources", "128 = 18 x 7 + 2"),
        ("resources: {workers: 8, micro_batch: 5}", "resources", "128 / 8 = 16 is none of 5"),
        ("resources: {stages: {finetun: {zero: 1}}}", "resources.stages.finetun", "must be a stage"),
        ("benchmarks: [gqa, gqa]", "benchmarks[1]", "must be there once"),
        ("benchmarks: prismatic-11", "benchmarks[0]", "must be a suite or a benchmark"),
        ("benchmarks: [{id: easy-vqa-color, select: colour}]", "benchmarks[0]", "must be a tag"),
        ("seeds: [1, 1]", "seeds.default", "must differ"),
        ("seeds: {default: [1], bas: [2]}", "seeds.bas", "must name an arm"),
        ("arms: {a: {epochs: 2}}\nseeds: {base: [2]}", "seeds", "every arm must have seeds"),
    ],
)
def test_study_that_cannot_be_expanded_is_refused(tmp_path: Path, text: str, key: str, law: str) -> None:
    (problem,) = _problems(tmp_path, BASE + text + "\n")
    assert problem.key == key
    assert law in problem.law
    assert problem.place is not None
    assert problem.place.startswith(f"{tmp_path / 'study.yaml'}:")


def _hypothesis(pair: str, on: str = "all") -> str:
    return f"hypotheses: [{{id: h, claim: c, pairs: [{pair}], on: {on}, expect: better}}]\n"


@pytest.mark.parametrize(
    ("text", "key", "law"),
    [
        (_hypothesis("[base, epochs=3]"), "hypotheses[0].pairs[0][1]", "must name an arm"),
        (_hypothesis("[base, base]"), "hypotheses[0].pairs[0]", "of two arms"),
        (_hypothesis("[base, epochs=2]", "[vqa]"), "hypotheses[0].on[0]", "must be all, or a benchmark"),
        (
            _hypothesis("[base, epochs=2]") + "exclude: [{where: {epochs: 2}, reason: x}]\n",
            "hypotheses[0].pairs[0][1]",
            "is excluded",
        ),
    ],
)
def test_hypothesis_that_speaks_of_what_is_not_there_is_refused(tmp_path: Path, text: str, key: str, law: str) -> None:
    (problem,) = _problems(tmp_path, BASE + "axes: {epochs: [2]}\nbenchmarks: [gqa]\n" + text)
    assert problem.key == key
    assert law in problem.law


def test_problems_of_base_axes_and_benchmarks_are_reported_together(tmp_path: Path) -> None:
    text = (
        BASE.replace("llava-v15", "llava-v16").replace("vicuna-v15-7b", "x") + "axes: {epoch: [2]}\nbenchmarks: [y]\n"
    )
    assert {problem.key for problem in _problems(tmp_path, text)} == {
        "base.data",
        "base.language.model",
        "axes.epoch",
        "benchmarks[0]",
    }


def test_study_whose_arms_are_all_excluded_is_refused(tmp_path: Path) -> None:
    text = BASE + "axes: {epochs: [1]}\nexclude: [{where: {epochs: 1}, reason: x}]\n"
    (problem,) = _problems(tmp_path, text)
    assert "at least one arm" in problem.law


@pytest.mark.parametrize("resolution", [16, 32, 48, 64, 100])
def test_convolutional_encoder_takes_any_size(tmp_path: Path, resolution: int) -> None:
    text = BASE.replace("{backbone: clip-vit-l-336px}", f"{{backbone: efficientnet-lite0, resolution: {resolution}}}")
    vision = _plan(tmp_path, text).trials[0].spec.vision
    assert vision.tokens == (-(-resolution // 32)) ** 2


def test_preset_with_another_resolution_than_its_checkpoint_interpolates(tmp_path: Path) -> None:
    vision = _plan(tmp_path, BASE.replace("clip-vit-l-336px", "dinov2-vit-l")).trials[0].spec.vision
    assert (vision.resolution, vision.interpolate, vision.options) == (224, True, {"img_size": 224})
