"""Every model of the paper, built without memory: its modules have the parameters that the plan counts with."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

from search_spaces.expansion.expand import plan_study
from search_spaces.plan import Plan
from search_spaces.sizes import LanguageShape
from search_spaces.spec import LanguageSpec, VisionSpec
from search_spaces.study_files import load_study
from tests.support.meta_languages import language_on_meta
from trainables.model.projector import build_projector
from trainables.model.vision import FusedEncoder, Tower


@cache
def _plan() -> Plan:
    return plan_study(load_study("prismatic/design_space"))


ARMS = {arm.name: arm for arm in _plan().arms}
SPECS = {trial.arm: trial.spec for trial in _plan().trials}


def _parameters(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@cache
def _encoder(vision: str) -> int:
    spec = VisionSpec.model_validate_json(vision)
    with torch.device("meta"):
        return _parameters(FusedEncoder(spec) if spec.parts else Tower(spec))


@cache
def _language(language: str, shape: LanguageShape) -> int:
    spec = LanguageSpec.model_validate_json(language)
    return _parameters(language_on_meta(spec.family, spec.width, shape))


@pytest.mark.parametrize("arm", SPECS)
def test_every_arm_has_the_parameters_of_its_published_shapes(arm: str) -> None:
    spec, size = SPECS[arm], ARMS[arm].size
    assert size is not None
    with torch.device("meta"):
        projector = _parameters(build_projector(spec.projector, spec.vision.width, spec.language.width, spec.seed))
    assert size.parameters == {
        "vision": _encoder(spec.vision.model_dump_json()),
        "projector": projector,
        "language": _language(spec.language.model_dump_json(), size.language),
    }
    assert size.language.rows % 64 == 0, "padded as in Prismatic"


def test_the_base_has_the_projector_of_the_published_checkpoint() -> None:
    size = ARMS["one-stage+7b"].size
    assert size is not None
    assert size.parameters["projector"] == 20_979_712
