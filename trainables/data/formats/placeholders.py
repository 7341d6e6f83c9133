"""Find the images that a text announces, and remove the placeholders: the image stands before the first question."""

from __future__ import annotations

import re

from trainables.data.refused import RecordError

PLACEHOLDER = "<image>"
_CHARACTERS = list(PLACEHOLDER)

_MARKUP = re.compile(r"<image>(?!\s*+[^<>\s]*+\s*+</image>)(?=(?:(?!<image>).)*</image>)|`<image>`", re.DOTALL)
"""An element of XML with more in it than one word, or the word in quotes of Markdown: text about `<image>` itself."""

_OTHER_SPELLINGS = re.compile(
    r"<(?:\|image\|?|\|?image[ _-]?\d+\|?|\|image_pad\||\|vision_start\||image[-_]placeholder|ImageHere|IMAGE"
    r"|IMG_CONTEXT|start_of_image|image_soft_token|\|begin_of_image\|)>|<img>[^<>]*</img>|\[IMG\]"
)
"""Placeholders of other programs: Llama, Phi, MMMU, Qwen-VL, VILA, MAmmoTH, Janus, InternLM-XComposer, InternVL, Gemma,
GLM and Pixtral."""

_MISSPELT = re.compile(r"<\s{0,2}image\s{0,2}/?\s{0,2}>|&lt;image&gt;", re.IGNORECASE)
"""At the beginning or end of a question; elsewhere it may be HTML, or a component of a program."""
_ALONE = re.compile(r"(?:<img ?/?>|\[(?:image|img)\]|\{image\}|<picture>)[ \t]*(?:\n|$)", re.IGNORECASE)
"""In a line of its own before the first question."""
_NEAR_THE_END = 60
"""Characters at either end of a question in which a misspelt placeholder is looked for."""

_OTHER_MODALITY = re.compile(r"\s*<(video|audio)>|.*<(video|audio)>\s*$", re.DOTALL)
"""At the beginning or end of a question; elsewhere it may be HTML."""


def announced_images(turns: list[str]) -> int:
    """Count the images that the questions of a conversation announce.

    Args:
        turns: questions and answers in turn.

    Raises:
        RecordError: an answer that announces an image, placeholders of another program, videos and sound.
    """
    announced = 0
    for number, text in enumerate(turns):
        if "<" not in text and "[" not in text and "{image" not in text and "&lt;" not in text:
            continue
        images = text.count(PLACEHOLDER)
        if images and ("</image>" in text or f"`{PLACEHOLDER}`" in text):
            images -= len(_MARKUP.findall(text))
        if number % 2 and images:
            raise RecordError("placeholder", f"an answer must be text, but turn {number} announces an image: <image>")
        if not number % 2:
            _check_spelling(text, number)
        announced += images
    return announced


def without_placeholders(text: str) -> str:
    """Remove image placeholders and strip; idempotent, so that a converted source reads the same."""
    text = text.replace(PLACEHOLDER, "")
    return (_without_nested(text) if PLACEHOLDER in text else text).strip()


def _without_nested(text: str) -> str:
    """Remove placeholders, and those that this puts together, in one pass: `<im<image>age>` has one inside another."""
    kept: list[str] = []
    for character in text:
        kept.append(character)
        if character == ">" and kept[-len(PLACEHOLDER) :] == _CHARACTERS:
            del kept[-len(PLACEHOLDER) :]
    return "".join(kept)


def _check_spelling(question: str, number: int) -> None:
    other = _other_spelling(question, number == 0)
    if other is not None:
        law = f"images must be announced with <image>, but turn {number} has {other!r}"
        raise RecordError("placeholder", law, "Write <image> in its place.")
    modality = _OTHER_MODALITY.match(question)
    if modality is not None and f"</{modality.group(1) or modality.group(2)}>" not in question:
        announced = modality.group(1) or modality.group(2)
        raise RecordError(
            "other modality", f"records are of text and images, but turn {number} announces <{announced}>"
        )


def _other_spelling(question: str, is_first: bool) -> str | None:
    """Find what announces an image in the way of another program, or misspelt; None where nothing does."""
    other = _OTHER_SPELLINGS.search(question)
    if other is not None:
        return other.group()
    beginning, end = question[:_NEAR_THE_END].lstrip(), question[-_NEAR_THE_END:].rstrip()
    found = [_MISSPELT.match(beginning), *(match for match in _MISSPELT.finditer(end) if match.end() == len(end))]
    found += [_ALONE.match(beginning)] if is_first else []
    return next((match.group().strip() for match in found if match and match.group() != PLACEHOLDER), None)
