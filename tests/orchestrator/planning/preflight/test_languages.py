"""Preflight names every missing language model before anything trains."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.planning.planned import PlanOptions, RunOptions
from orchestrator.run_study import run_study
from search_spaces.errors import InputError
from tests.support.hub_languages import hub_language, make_checkpoint

STUDY = """\
study: languages
base:
  vision: {backbone: tiny, weights: random}
  language: 'hub:tiny/llama@main'
  stages: [finetune]
  max_steps: 2
  data: shapes
recipe:
  finetune: {trains: [projector, language], global_batch: 4, optimizer: {lr: 1e-3}}
backbones:
  tiny: {arch: test_vit, family: vit, resolution: 64, patch: 16, width: 64, mean: [0.5, 0.5, 0.5],
         std: [0.5, 0.5, 0.5], options: {img_size: 64}}
sources: {shapes: {reader: generated, options: {records: 8, seed: 1}}}
mixes: {shapes: {parts: [{source: shapes}]}}
axes:
  lm:
    missing: {language: {model: 'hub:org/missing@main', family: llama, width: 64}}
    gone: {language: {model: 'path:gone', family: mistral, width: 64}}
    half: {language: {model: 'path:half', family: qwen2, width: 32}}
    silent: {language: {model: 'hub:tiny/llama@main', prompt: template}}
    again: {language: {model: 'hub:org/missing@main', family: llama, width: 64, max_length: 99}}
"""


def test_all_missing_models_of_a_study_are_named_together_and_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    hub_language(tmp_path / "data", "llama")
    (make_checkpoint(tmp_path / "data/half", "qwen2") / "tokenizer.json").unlink()
    file = tmp_path / "study.yaml"
    file.write_text(STUDY)
    options = RunOptions(PlanOptions(storage=tmp_path / "storage", data=tmp_path / "data"))
    with pytest.raises(InputError) as caught:
        run_study(str(file), options, Console(quiet=True))
    said = str(caught.value)
    assert said.count("the weights of 'hub:org/missing@main' were found nowhere") == 1
    assert said.count("the weights 'path:gone' must be at") == 1
    assert said.count("'path:half' lacks a tokenizer") == 1
    assert said.count("the tokenizer of hub:tiny/llama@main has none") == 1
    assert len(said.split("\n\n")) == 4
    assert not (tmp_path / "storage/studies").exists()
