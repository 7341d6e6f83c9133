"""Build the processor of an exported model: pictures to pixels, text to tokens, conversations to text."""

from __future__ import annotations

import json

from tokenizers.processors import TemplateProcessing
from transformers import LlavaImageProcessor, LlavaProcessor, PreTrainedTokenizerFast

from search_spaces.spec import PromptStyle, VisionSpec
from trainables.export.llava import IMAGE_TOKEN
from trainables.model.prompts import END
from trainables.model.tokenizer import Tokenizer

_QUESTION, _ANSWER = "\x01", "\x02"
"""Stand for a question and its answer while a prompt style is split into its parts."""


def llava_processor(
    vision: VisionSpec, template: str, tokenizer: PreTrainedTokenizerFast, *, has_class_token: bool
) -> LlavaProcessor:
    """Build a processor whose pictures and prompts are those of the evaluation.

    Args:
        vision: specification of the encoder.
        template: chat template in Jinja (`chat_template`).
        tokenizer: tokenizer that knows `IMAGE_TOKEN`; it is made to begin every text with its beginning-of-sequence
            token.
        has_class_token: whether the encoder has a class token, which LLaVA drops from its features.
    """
    prepend_bos(tokenizer)
    return LlavaProcessor(
        image_processor=image_processor(vision),
        tokenizer=tokenizer,
        patch_size=vision.patch,
        vision_feature_select_strategy="default" if has_class_token else "full",
        num_additional_image_tokens=1 if has_class_token else 0,
        image_token=IMAGE_TOKEN,
        chat_template=template,
    )


def image_processor(vision: VisionSpec) -> LlavaImageProcessor:
    """Build an image processor with the resizing and normalisation of `trainables.model.images`.

    Its `pil` backend gives the same pixels exactly, except where an odd number of pixels is to be shared between two
    borders: LLaVA's processor rounds such a border differently, so that the picture is shifted by a pixel. The default
    backend resizes with torch, which also rounds a few pixels differently.
    """
    side = vision.resolution
    crops = vision.resize == "crop"
    return LlavaImageProcessor(
        size={"shortest_edge": side} if crops else {"height": side, "width": side},
        crop_size={"height": side, "width": side},
        do_center_crop=crops,
        do_pad=vision.resize == "letterbox",
        image_mean=list(vision.mean),
        image_std=list(vision.std),
    )


def prepend_bos(tokenizer: PreTrainedTokenizerFast) -> None:
    """Make a tokenizer begin every text with one beginning-of-sequence token, as our sequences do."""
    bos = tokenizer.bos_token
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, tokenizer.bos_token_id)]
    )


def chat_template(style: PromptStyle, tokenizer: Tokenizer) -> str:
    """Convert a prompt style to a Jinja template: image first, then the turns; a last question ends as in evaluation.

    The template is derived from the style's own segments, so that its words are written in one place.
    """
    first, _, second, answer = [segment.text for segment in tokenizer.segments(style, [(_QUESTION, _ANSWER)] * 2)]
    prompt = tokenizer.question_segments(style, (), _QUESTION)[-1].text
    lead, _, end = answer.partition(_ANSWER)
    parts: dict[str, str] = {"lead": lead, "end": end, "generation": prompt.partition(_QUESTION)[2]}
    for name, text in (("first", first), ("next", second)):
        parts[f"{name}_before"], _, parts[f"{name}_after"] = text.partition(_QUESTION)
    return _TEMPLATE % {name: _literal(text) for name, text in parts.items()}


def _literal(text: str) -> str:
    """Write a text as a Jinja expression, the end token by its name."""
    return " + ".join("eos_token" if part == END else json.dumps(part) for part in text.partition(END) if part) or '""'


_TEMPLATE = """\
{%%- for message in messages -%%}
{%%- set said = namespace(text="", image="") -%%}
{%%- if message.content is string -%%}{%%- set said.text = message.content -%%}
{%%- else -%%}
{%%- for part in message.content -%%}
{%%- if part.type == "image" -%%}{%%- set said.image = "<image>" -%%}
{%%- else -%%}{%%- set said.text = said.text + part.text -%%}{%%- endif -%%}
{%%- endfor -%%}
{%%- endif -%%}
{%%- if message.role == "assistant" -%%}{{- %(lead)s + said.text + %(end)s -}}
{%%- else -%%}
{%%- set before = %(first_before)s if loop.first else %(next_before)s -%%}
{%%- set after = %(first_after)s if loop.first else %(next_after)s -%%}
{{- said.image + before + said.text + (%(generation)s if loop.last else after) -}}
{%%- endif -%%}
{%%- endfor -%%}
"""
