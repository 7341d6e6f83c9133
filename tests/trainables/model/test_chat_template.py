"""Claims about the prompt style `template`: a tokenizer's own chat template."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search_spaces.errors import InputError
from tests.support.hub_languages import CHATML, make_checkpoint
from trainables.model.tokenizer import IGNORE, Tokenizer, checkpoint_tokenizer

TURNS = (("What color?", "red"), ("What shape?", "a circle"), ("Is it so?", "yes"))

SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}"
    "{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA2 = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + message['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' '  + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
FORGETFUL = "{{ messages[-1]['content'] }}"
DATED = "{{ strftime_now('%d %b %Y') }}{{ messages[-1]['content'] }}"


def _tokenizer(folder: Path, template: str | None, family: str = "qwen2") -> Tokenizer:
    make_checkpoint(folder, family, template=template)
    return checkpoint_tokenizer(folder, family, f"path:{folder.name}")


def _target_ids(tokenizer: Tokenizer, labels: np.ndarray) -> list[int]:  # type: ignore[type-arg]
    return [int(label) for label in labels if label != IGNORE]


@pytest.mark.parametrize("turns", [TURNS[:1], TURNS[:2], TURNS])
def test_a_chatml_template_gives_the_ids_and_labels_of_the_style_chatml(
    turns: tuple[tuple[str, str], ...], tmp_path: Path
) -> None:
    tokenizer = _tokenizer(tmp_path / "a", CHATML)
    own, known = (tokenizer.encode_turns(style, turns, 500) for style in ("template", "chatml"))
    assert own[0].tolist() == known[0].tolist()
    assert own[1].tolist() == known[1].tolist()
    questions = [tokenizer.encode_question(style, "Why?", 500, turns) for style in ("template", "chatml")]
    assert questions[0] == questions[1]
    assert tokenizer.encode_answer("template", "red") == tokenizer.encode_answer("chatml", "red")


def test_smollm2s_own_template_adds_only_its_system_message_to_chatml(tmp_path: Path) -> None:
    tokenizer = _tokenizer(tmp_path / "a", SMOLLM2)
    system = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    own, known = (tokenizer.encode_turns(style, TURNS, 500) for style in ("template", "chatml"))
    more = len(own[0]) - len(known[0])
    assert own[0].tolist() == tokenizer.encode(system) + known[0].tolist()
    assert own[1].tolist() == [IGNORE] * more + known[1].tolist()


def test_a_template_that_writes_the_beginning_of_sequence_does_not_have_it_twice(tmp_path: Path) -> None:
    tokenizer = _tokenizer(tmp_path / "a", LLAMA2, family="llama")
    ids, labels = tokenizer.encode_turns("template", TURNS[:2], 500)
    pieces = [
        tokenizer.encode(text) for text in ("[INST] What color? [/INST]", "red ", "<s>[INST] What shape? [/INST]")
    ]
    assert ids.tolist()[: len(pieces[0])] == pieces[0]
    assert tokenizer.bos not in ids[:3]
    assert _target_ids(tokenizer, labels)[: len(pieces[1])] == pieces[1]
    assert _target_ids(tokenizer, labels).count(tokenizer.end) == 2
    assert (ids == tokenizer.bos).sum() == 1  # the second turn's, which the template writes in the middle


def test_an_empty_answer_is_one_blank_and_the_end(tmp_path: Path) -> None:
    tokenizer = _tokenizer(tmp_path / "a", CHATML)
    _, labels = tokenizer.encode_turns("template", (("What?", ""),), 500)
    assert _target_ids(tokenizer, labels) == [*tokenizer.encode(" "), tokenizer.end]


def test_a_checkpoint_without_a_template_is_named(tmp_path: Path) -> None:
    tokenizer = _tokenizer(tmp_path / "plain", None, family="llama")
    with pytest.raises(InputError, match=r"needs a chat template, but the tokenizer of path:plain has none"):
        tokenizer.encode_turns("template", TURNS, 500)


@pytest.mark.parametrize(
    ("template", "law"), [(FORGETFUL, "must keep what was said"), (DATED, "no two days would train alike")]
)
def test_a_template_whose_answers_cannot_be_told_apart_is_refused(template: str, law: str, tmp_path: Path) -> None:
    tokenizer = _tokenizer(tmp_path / "odd", template)
    with pytest.raises(InputError, match=law):
        tokenizer.encode_turns("template", TURNS, 500)
