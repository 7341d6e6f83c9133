"""Define TextVQA validation: reading text in images, with and without the tokens of an OCR program.

Two benchmarks on one set of references, because scores with and without OCR tokens must never be mixed up.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from search_spaces.errors import InputError
from trainables.benchmarks.contract import Benchmark, Example, Protocol, Totals
from trainables.benchmarks.files.record_fields import Fields
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers import normalisers
from trainables.benchmarks.scorers.instructions import SHORT, short_answer
from trainables.benchmarks.scorers.soft_accuracy import each, exact_mean, soft_protocol

_TOKENS = "\nReference OCR token: "
_PUBLISHED = "https://textvqa.org/dataset/"


def read(files: ReferenceFiles, split: str | None) -> list[Example]:
    document = files.one("annotations", _is_annotations)
    examples = [_example(Fields(row, f"{document.place}: data[{n}]")) for n, row in enumerate(document.value["data"])]
    files.forget()
    return examples


def _is_annotations(document: Document) -> bool:
    return _first_of_data_has(document, "question", "answers")


def _first_of_data_has(document: Document, *keys: str) -> bool:
    value = document.value
    rows = value.get("data") if isinstance(value, dict) else None
    return isinstance(rows, list) and bool(rows) and isinstance(rows[0], dict) and all(key in rows[0] for key in keys)


def _example(row: Fields) -> Example:
    image = row.id("image_id")
    references = [sys.intern(text) for text in row.texts("answers")]
    return Example(
        row.id("question_id"), image, f"{image}.jpg", row.text("question"), reference={"answers": references}
    )


def read_with_tokens(files: ReferenceFiles, split: str | None) -> list[Example]:
    """Read examples, with OCR tokens of their images where a file of them is given: scoring does not need them."""
    rosetta = files.one_or_none("OCR tokens", lambda d: _first_of_data_has(d, "ocr_tokens") and not _is_annotations(d))
    prompts = files.one_or_none("questions with OCR tokens", _is_prompts)
    tokens = {} if rosetta is None else _rosetta_tokens(rosetta)
    lines = [] if prompts is None else [Fields(row, f"{prompts.place}[{n}]") for n, row in enumerate(prompts.rows)]
    examples = read(files, split)
    if lines:
        return _with_prompts(examples, lines)
    return [_with_tokens(example, tokens.get(example.cluster)) for example in examples]


def _rosetta_tokens(document: Document) -> dict[str, str]:
    rows = [Fields(row, f"{document.place}: data[{n}]") for n, row in enumerate(document.value["data"])]
    return {row.id("image_id"): ", ".join(row.texts("ocr_tokens")) for row in rows}


def _is_prompts(document: Document) -> bool:
    return isinstance(document.value, list) and bool(document.rows) and _has_text(document.rows[0])


def _has_text(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("text"), str) and _TOKENS.strip() in row["text"]


def _with_prompts(examples: list[Example], lines: list[Fields]) -> list[Example]:
    """Take the tokens from LLaVA's file: question and tokens as one text, one per example and in their order."""
    if len(lines) != len(examples):
        raise InputError(
            f"the file of OCR tokens must have a line for each of the {len(examples)} questions, but has {len(lines)}",
            place=lines[0].place,
        )
    with_tokens = []
    for example, line in zip(examples, lines, strict=True):
        question, _, rest = line.text("text").partition(_TOKENS.rstrip())
        if question.strip().lower() != example.question.strip().lower():
            raise InputError(
                f"must be about question {example.id} ({example.question!r}), but asks {question.strip()!r}",
                place=line.place,
            )
        with_tokens.append(_with_tokens(example, rest.removesuffix(SHORT).strip()))
    return with_tokens


def _with_tokens(example: Example, tokens: str | None) -> Example:
    return replace(example, reference={**example.reference, "tokens": tokens})


def _plain(example: Example) -> str:
    return short_answer(example.question)


def _ocr(example: Example) -> str:
    return example.question + _tokens(example) + SHORT


def _tokens(example: Example) -> str:
    tokens = example.reference.get("tokens")
    if tokens is None:
        raise InputError(
            f"the prompt of question {example.id} needs OCR tokens, but no file gives any for its image",
            key="textvqa-ocr",
            way_out="Put the Rosetta file or LLaVA's question file beside the annotations.",
        )
    return f"{_TOKENS}{tokens}"


def _lmms(example: Example) -> str:
    return example.question.capitalize() + SHORT


def _lmms_ocr(example: Example) -> str:
    return example.question.capitalize() + _tokens(example) + SHORT


def _m4c(about: str, prompt: Any, **fields: Any) -> Protocol:
    return soft_protocol(about, normalisers.evalai, each(normalisers.evalai), prompt, **fields)


_ANNOTATIONS = WantedFile("annotations", ("TextVQA_0.5.1_val.json",), _PUBLISHED)
_IMAGES = "OpenImages, by the links of https://textvqa.org/dataset/ (train_images), as <image_id>.jpg"

PLAIN = Benchmark(
    id="textvqa",
    title="TextVQA without OCR tokens",
    split="val",
    files=(_ANNOTATIONS,),
    images=_IMAGES,
    totals=Totals((5_000,), images=3_166),
    read=read,
    protocols={
        "official": _m4c("facebookresearch/mmf (M4C): EvalAI's normaliser on both sides", _plain),
        "prismatic": _m4c("TRI-ML/vlm-evaluation: mmf's evaluator", _plain, max_new_tokens=128),
        "lmms": _m4c("lmms-eval: EvalAI's normaliser; capitalises the question", _lmms, mean=exact_mean),
        "vlmevalkit": soft_protocol(
            "VLMEvalKit: its own normaliser on both sides",
            normalisers.vlmevalkit,
            each(normalisers.vlmevalkit),
            _plain,
            max_new_tokens=128,
        ),
        "llava": _m4c("LLaVA: mmf's evaluator", _plain, max_new_tokens=128),
    },
)

WITH_OCR = Benchmark(
    id="textvqa-ocr",
    title="TextVQA with OCR tokens",
    split="val",
    files=(
        _ANNOTATIONS,
        WantedFile(
            "OCR tokens",
            ("TextVQA_Rosetta_OCR_v0.2_val.json", "llava_textvqa_val_v051_ocr.jsonl", "textvqa_val_v051_ocr.jsonl"),
            f"{_PUBLISHED} (Rosetta v0.2), or LLaVA's evaluation archive; only prompts need it",
            required=False,
        ),
    ),
    images=_IMAGES,
    totals=Totals((5_000,), images=3_166),
    read=read_with_tokens,
    folder="textvqa",
    protocols={
        "official": _m4c("facebookresearch/mmf (M4C): EvalAI's normaliser on both sides", _ocr),
        "prismatic": _m4c("TRI-ML/vlm-evaluation: mmf's evaluator", _ocr, max_new_tokens=128),
        "lmms": _m4c("lmms-eval with ocr: true; capitalises the question", _lmms_ocr, mean=exact_mean),
        "llava": _m4c("LLaVA: mmf's evaluator; its papers ask this way", _ocr, max_new_tokens=128),
    },
)
