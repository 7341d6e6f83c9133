"""Weights and declared encoders are checked in a process of their own, and what has passed is not checked again."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from orchestrator.planning.weights_check import checking_weights
from search_spaces.identity import weights_name
from search_spaces.spec import LanguageSpec, TrialSpec, VisionSpec
from tests.support.hub_checkpoints import encoder_spec
from tests.support.hub_languages import hub_language
from tests.support.tiny_specs import trial_spec, vision
from trainables.model.weights import digest_weights, find_weights
from trainables.storage import layout
from trainables.storage.records import WeightsDigest
from trainables.storage.store import LocalStore

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 99\n"


def _problems(specs: list[TrialSpec], root: Path) -> list[str]:
    origins = {origin for spec in specs for origin in (*spec.vision.checkpoints, spec.language.checkpoint) if origin}
    entries = {weights_name(each): WeightsDigest("", digest_weights(find_weights(each, root))) for each in origins}
    with checking_weights(specs, entries, LocalStore(root / "storage"), root, lambda line: None) as found:
        return [] if found is None else [str(problem) for problem in found()]


def _spec(encoder: VisionSpec, language: LanguageSpec) -> TrialSpec:
    return trial_spec(vision=encoder, language=language)


def test_everything_is_found_at_once_and_what_passes_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = hub_language(tmp_path, "llama"), hub_language(tmp_path, "qwen2")
    (tmp_path / "hub/tiny/qwen2/model.safetensors").write_text(POINTER)
    encoder = encoder_spec("clip", tmp_path)
    narrow = vision(backbone="narrow", width=128)
    said = _problems([_spec(encoder, whole), _spec(narrow, broken)], tmp_path)
    assert len(said) == 2
    assert "hub/tiny/qwen2/model.safetensors: the file is a Git LFS pointer" in said[0]
    assert said[1].startswith("backbones.narrow: the width of test_efficientnet must be 64 or 256, as timm builds it")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("what has passed was checked again")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert _problems([_spec(encoder, whole)], tmp_path) == []
    with pytest.raises(AssertionError):
        _problems([_spec(encoder, whole.model_copy(update={"prompt": "template"}))], tmp_path)


def test_random_encoders_of_known_facts_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert _problems([trial_spec()], tmp_path) == []


def test_a_block_that_does_not_wait_ends_the_check(tmp_path: Path) -> None:
    encoder = encoder_spec("clip", tmp_path)
    entries = {weights_name(str(encoder.checkpoint)): WeightsDigest("", "0")}
    store, began = LocalStore(tmp_path / "storage"), psutil.Process().children()
    with ExitStack() as stack:
        checking = checking_weights([trial_spec(vision=encoder)], entries, store, tmp_path, lambda line: None)
        assert stack.enter_context(checking) is not None
        assert len(psutil.Process().children()) == len(began) + 1
    assert psutil.Process().children() == began
    assert not store.exists(layout.CHECKED_WEIGHTS)
