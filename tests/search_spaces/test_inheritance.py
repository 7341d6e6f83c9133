"""Claims about entries that extend others."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.catalogue.load import shipped
from search_spaces.errors import InputError
from search_spaces.spec import LanguageSpec, VisionSpec
from search_spaces.study_files import load_study
from tests.support.small_studies import BASE, plan_of


def language_of(folder: Path, entries: str) -> LanguageSpec:
    text = BASE.replace("language: vicuna-v15-7b", "language: mine")
    return plan_of(folder, f"{text}languages:\n{entries}").trials[0].spec.language


def vision_of(folder: Path, entries: str) -> VisionSpec:
    text = BASE.replace("backbone: clip-vit-l-336px", "backbone: mine")
    return plan_of(folder, f"{text}backbones:\n{entries}").trials[0].spec.vision


def test_an_entry_is_what_it_extends_with_its_changes(tmp_path: Path) -> None:
    mine = language_of(tmp_path, "  mine: {extends: llama-2x96, max_length: 16, config: {rope_theta: 500}}\n")
    shipped_one = shipped().languages["llama-2x96"]
    assert mine.max_length == 16
    assert mine.config == {**shipped_one.config, "rope_theta": 500}
    assert mine.width == shipped_one.width
    own = vision_of(tmp_path, "  mine: {extends: clip-vit-l-336px, checkpoint: 'path:my.safetensors'}\n")
    assert (own.checkpoint, own.resolution, own.arch) == (
        "path:my.safetensors", 336, "vit_large_patch14_clip_quickgelu_336",
    )  # fmt: skip


def test_entries_of_a_study_extend_one_another_and_null_removes(tmp_path: Path) -> None:
    mine = language_of(
        tmp_path,
        "  mine: {extends: middle, prompt: chatml}\n"
        "  middle: {extends: vicuna-v15-7b, checkpoint: 'path:merged', shape: null}\n",
    )
    assert (mine.prompt, mine.checkpoint, mine.width) == ("chatml", "path:merged", 4096)


def test_an_entry_may_change_the_shipped_one_of_its_own_name(tmp_path: Path) -> None:
    entries = "  mine: {extends: tiny, max_length: 64}\n  tiny: {extends: tiny, prompt: chatml}\n"
    mine = language_of(tmp_path, entries)
    assert (mine.max_length, mine.prompt) == (64, "chatml")


def test_values_know_where_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(BASE + "languages:\n  mine:\n    extends: tiny\n    max_length: 64\n")
    provenance = load_study(str(file)).provenance()
    assert provenance["languages.mine.max_length"] == f"{file}:13"
    assert provenance["languages.mine.prompt"].startswith("catalogue/languages.yaml:")


@pytest.mark.parametrize(
    ("entries", "key", "law"),
    [
        ("  mine: {extends: tinny}\n", "languages.mine.extends", "must be one of .* but got 'tinny'"),
        ("  mine: {extends: mine}\n", "languages.mine.extends", "must not lead back to an entry, but: mine -> mine"),
        (
            "  mine: {extends: other}\n  other: {extends: mine}\n",
            "languages.other.extends",
            "mine -> other -> mine",
        ),
        ("  mine: {extends: [tiny]}\n", "languages.mine.extends", "must be one of"),
        ("  mine: {extends: tiny, wdth: 3}\n", "languages.mine.wdth", "wdth"),
        ("  mine: {extends: tiny, width: 48}\n", "languages.mine", "`width` must be `config.hidden_size`, 96"),
        (
            "  mine: {extends: tiny, config: {num_hidden_layers: 4}}\n",
            "languages.mine",
            "`shape.layers` must be `config.num_hidden_layers`, 4, but got 2",
        ),
    ],
)
def test_what_cannot_be_extended_is_refused_at_its_place(entries: str, key: str, law: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=law) as refused:
        language_of(tmp_path, entries)
    problems = getattr(refused.value, "problems", (refused.value,))
    assert key in [problem.key for problem in problems]
    assert all(str(problem.place).startswith(f"{tmp_path}/study.yaml:") for problem in problems)


def test_a_shipped_entry_may_extend_another() -> None:
    small, large = (shipped().languages[name] for name in ("llama-1x48-mini", "llama-2x96-mini"))
    assert small.tokenizer == large.tokenizer
    assert (small.width, small.config["num_attention_heads"]) == (48, large.config["num_attention_heads"])
