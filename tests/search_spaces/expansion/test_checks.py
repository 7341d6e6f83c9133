"""Claims about studies that are refused, with place, key and law."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.small_studies import BASE, problems_of


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
    (problem,) = problems_of(tmp_path, BASE.replace(old, new))
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
    (problem,) = problems_of(tmp_path, BASE + text + "\n")
    assert problem.key == key
    assert law in problem.law
    assert problem.place is not None
    assert problem.place.startswith(f"{tmp_path / 'study.yaml'}:")


def test_problems_of_base_axes_and_benchmarks_are_reported_together(tmp_path: Path) -> None:
    text = (
        BASE.replace("llava-v15", "llava-v16").replace("vicuna-v15-7b", "x") + "axes: {epoch: [2]}\nbenchmarks: [y]\n"
    )
    assert {problem.key for problem in problems_of(tmp_path, text)} == {
        "base.data",
        "base.language.model",
        "axes.epoch",
        "benchmarks[0]",
    }
