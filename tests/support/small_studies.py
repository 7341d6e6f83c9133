"""Write small studies for tests, and plan them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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
"""A study of one arm; tests append axes, arms and the like."""

TWO_STAGES = """\
study: two
question: How long?
base: {vision: clip-vit-l, language: vicuna-v15-7b, stages: [align, finetune], epochs: 1, data: llava-v15}
recipe: prismatic
axes: {epochs: [1, 2, 3]}
exclude: [{where: {epochs: 3}, reason: too dear}]
benchmarks: [gqa]
"""
"""A study of two stages whose epochs are an axis, with one arm excluded."""

ENCODER_STUDY = """\
study: test
base:
  vision: {{backbone: {name}, weights: random, {more}}}
  language: vicuna-v15-7b
  stages: [finetune]
  epochs: 1
  data: llava-v15
recipe: prismatic
"""
"""A study of one encoder by name; `more` are further fields of it."""


def plan_of(folder: Path, text: str, **options: Any) -> Plan:
    """Write a study into a folder and plan it; options are those of `plan_study`."""
    path = folder / "study.yaml"
    path.write_text(text)
    return plan_study(load_study(str(path)), **options)


def arm_names(plan: Plan) -> list[str]:
    """List the names of a plan's arms, in plan order."""
    return [arm.name for arm in plan.arms]


def stage_nodes(plan: Plan) -> list[Node]:
    """List the nodes of a plan that train a stage."""
    return [node for node in plan.nodes.values() if node.kind == "stage"]


def problems_of(folder: Path, text: str) -> list[InputError]:
    """List what is wrong with a study that must not be planned."""
    with pytest.raises(InputError) as caught:
        plan_of(folder, text)
    return list(caught.value.problems) if isinstance(caught.value, InputProblemsError) else [caught.value]
