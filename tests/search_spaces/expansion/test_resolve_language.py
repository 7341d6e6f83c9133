"""Claims about language models by origin, and about adapters, in a study file."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from search_spaces.expansion.expand import plan_study
from search_spaces.expansion.resolve_language import LanguageFacts
from search_spaces.identity import needed_digests
from search_spaces.plan import Plan
from search_spaces.sizes import LanguageShape
from search_spaces.spec import LanguageSpec, LoraSpec
from search_spaces.study_files import load_study
from tests.support.small_studies import BASE, plan_of

STUDY = """\
study: languages
base: {{vision: clip-vit-l-336px, language: {language}, stages: [finetune], epochs: 1, data: llava-v15}}
recipe: {recipe}
"""
NEOX = LanguageFacts("gpt_neox", 2048)


def _plan(
    folder: Path,
    language: str,
    *,
    recipe: str = "prismatic",
    more: str = "",
    facts: dict[str, LanguageFacts] | None = None,
    toy: bool = False,
) -> Plan:
    file = folder / "study.yaml"
    file.write_text(STUDY.format(language=language, recipe=recipe) + more)
    return plan_study(load_study(str(file)), language_facts=(facts or {}).get, toy=toy)


def _language(plan: Plan) -> LanguageSpec:
    return plan.trials[0].spec.language


def test_what_a_local_configuration_tells_need_not_be_written(tmp_path: Path) -> None:
    inferred = _plan(tmp_path, "'hub:EleutherAI/pythia-1b@main'", facts={"hub:EleutherAI/pythia-1b@main": NEOX})
    written = _plan(tmp_path, "{model: 'hub:EleutherAI/pythia-1b@main', family: gpt_neox, width: 2048}")
    assert _language(inferred) == _language(written)
    assert (_language(inferred).family, _language(inferred).width) == ("gpt_neox", 2048)
    assert [trial.id for trial in inferred.trials] == [trial.id for trial in written.trials]


def test_half_of_what_is_needed_may_be_written_if_it_is_true(tmp_path: Path) -> None:
    facts = {"path:neox": NEOX}
    assert _language(_plan(tmp_path, "{model: 'path:neox', width: 2048}", facts=facts)).family == "gpt_neox"
    with pytest.raises(InputError, match=r"base\.language\.width: must be 2048, as path:neox has it, but got 1024"):
        _plan(tmp_path, "{model: 'path:neox', width: 1024}", facts=facts)


@pytest.mark.parametrize("language", ["'hub:a/b@1'", "{model: 'hub:a/b@1', width: 64}", "'path:a'"])
def test_an_unseen_model_needs_family_and_width(language: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"study\.yaml:2: base\.language.*needs `family` and `width`"):
        _plan(tmp_path, language)


def test_a_checkpoint_that_cannot_be_read_is_an_error_at_its_place(tmp_path: Path) -> None:
    def facts(origin: str) -> LanguageFacts | None:
        raise InputError("must be JSON", place="config.json")

    file = tmp_path / "study.yaml"
    file.write_text(STUDY.format(language="'path:a'", recipe="prismatic"))
    with pytest.raises(InputError, match=r"study\.yaml:2: base\.language.*config\.json: must be JSON"):
        plan_study(load_study(str(file)), language_facts=facts)


@pytest.mark.parametrize(("family", "multiple"), [("llama", 64), ("mistral", 64), ("phi", 64), ("qwen2", 1)])
def test_embeddings_of_prismatics_families_are_a_multiple_of_64(family: str, multiple: int, tmp_path: Path) -> None:
    language = f"{{model: 'path:a', family: {family}, width: 64}}"
    assert _language(_plan(tmp_path, language)).embedding_multiple == multiple


def test_presets_of_prismatic_are_padded_and_models_from_a_configuration_are_not(tmp_path: Path) -> None:
    multiples = {
        name: _language(_plan(tmp_path, name)).embedding_multiple
        for name in ("vicuna-v15-7b", "phi-2-3b", "smollm2-135m", "llama-2x96")
    }
    assert multiples == {"vicuna-v15-7b": 64, "phi-2-3b": 64, "smollm2-135m": 1, "llama-2x96": 1}


def test_the_toy_form_of_an_unlisted_family_is_a_tiny_llama(tmp_path: Path) -> None:
    plan = _plan(tmp_path, "{model: 'path:neox', prompt: template}", facts={"path:neox": NEOX}, toy=True)
    language = _language(plan)
    assert (language.family, language.checkpoint, language.prompt) == ("llama", None, "chatml")


def test_a_chat_template_needs_the_tokenizer_of_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"language\.prompt must not be template for llama-2x96"):
        _plan(tmp_path, "{model: llama-2x96, prompt: template}")
    with pytest.raises(InputError, match=r"recipe\.finetune\.prompt must not be template"):
        _plan(tmp_path, "llama-2x96", recipe="{extends: prismatic, finetune: {prompt: template}}")


# ---------------------------------------------------------------- adapters


def test_adapters_are_off_by_default_and_an_axis_turns_them_on(tmp_path: Path) -> None:
    plain = _plan(tmp_path, "vicuna-v15-7b")
    axis = "axes: {recipe.finetune.lora.rank: [null, 8, 16]}\n"
    plan = _plan(tmp_path, "vicuna-v15-7b", more=axis)
    assert plan.trials[0].id == plain.trials[0].id
    stages = [trial.spec.stages[0].lora for trial in plan.trials]
    assert stages == [None, LoraSpec(rank=8, alpha=16), LoraSpec(rank=16, alpha=32)]
    assert [arm.name for arm in plan.arms] == ["base", *(f"recipe.finetune.lora.rank={rank}" for rank in (8, 16))]


def test_all_fields_of_adapters_may_be_written_in_the_recipe(tmp_path: Path) -> None:
    lora = "{rank: 4, alpha: 4, dropout: 0.1, targets: [v_proj, q_proj, v_proj]}"
    plan = _plan(tmp_path, "vicuna-v15-7b", recipe=f"{{extends: prismatic, finetune: {{lora: {lora}}}}}")
    expected = LoraSpec(rank=4, alpha=4, dropout=0.1, targets=("q_proj", "v_proj"))
    assert plan.trials[0].spec.stages[0].lora == expected
    toy = _plan(tmp_path, "vicuna-v15-7b", recipe=f"{{extends: prismatic, finetune: {{lora: {lora}}}}}", toy=True)
    assert toy.trials[0].spec.stages[0].lora == expected.model_copy(update={"targets": ()})


def test_adapters_at_a_stage_that_does_not_train_the_language_model_are_refused(tmp_path: Path) -> None:
    recipe = "{extends: prismatic, finetune: {trains: [projector], lora: {rank: 8}}}"
    with pytest.raises(InputError, match=r"recipe\.finetune\.lora.*must stand at a stage that trains the language"):
        _plan(tmp_path, "vicuna-v15-7b", recipe=recipe)


@pytest.mark.parametrize(
    ("lora", "law"), [("{rank: 0}", "lora.rank"), ("{rank: 8, dropout: 1}", "lora.dropout"), ("{r: 8}", "'r'")]
)
def test_wrong_fields_of_adapters_are_named(lora: str, law: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=law):
        _plan(tmp_path, "vicuna-v15-7b", recipe=f"{{extends: prismatic, finetune: {{lora: {lora}}}}}")


TINY = BASE.replace("vicuna-v15-7b", "tiny")


def test_the_words_of_tiny_are_those_of_what_the_base_and_the_arm_train_on(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TINY + "axes: {data: [llava-v15, llava-lrv, llava-align]}\n")
    words = {trial.arm: [source.name for source in trial.spec.language.tokenizer.vocabulary] for trial in plan.trials}
    assert words == {
        "base": ["llava-mix665k"],
        "data=llava-lrv": ["llava-mix665k", "lrv-instruct"],
        "data=llava-align": ["llava-align-558k", "llava-mix665k"],
    }
    assert "source:llava-mix665k@1" in needed_digests(plan.trials[0].spec, 0)


def test_a_further_arm_moves_no_vocabulary_and_another_stage_does(tmp_path: Path) -> None:
    alone = plan_of(tmp_path, TINY).trials[0]
    beside = plan_of(tmp_path, TINY + "axes: {data: [llava-v15, llava-lrv]}\n").trials[0]
    assert alone.id == beside.id
    aligned = plan_of(tmp_path, TINY.replace("stages: [finetune]", "stages: [align, finetune]")).trials[0]
    assert aligned.spec.language != alone.spec.language


def test_the_size_of_a_checkpoint_on_this_machine_is_known_to_the_plan(tmp_path: Path) -> None:
    shape = LanguageShape(layers=2, heads=2, kv_heads=2, mlp=64, vocabulary=320)
    plan = _plan(tmp_path, "'path:own'", facts={"path:own": LanguageFacts("llama", 32, shape)})
    size = next(arm.size for arm in plan.arms)
    assert size is not None
    assert (size.language, size.width) == (shape, 32)
