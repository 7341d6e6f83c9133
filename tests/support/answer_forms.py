"""Files of given answers in the forms of benchmarks' servers, LLaVA, lmms-eval and VLMEvalKit."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trainables.benchmarks.contract import Example

Rows = list[dict[str, Any]]


def _short(example: Example) -> str:
    return example.id.rpartition("/")[2]


def _number(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def plain(example: Example, answer: str) -> dict[str, Any]:
    return {"id": example.id, "prediction": answer}


def vqa(example: Example, answer: str) -> dict[str, Any]:
    """As VQA's, TextVQA's and TallyQA's servers take it."""
    return {"question_id": _number(example.id), "answer": answer}


def gqa(example: Example, answer: str) -> dict[str, Any]:
    return {"questionId": example.id, "prediction": answer}


def vizwiz(example: Example, answer: str) -> dict[str, Any]:
    return {"image": example.id, "answer": answer}


def pope(example: Example, answer: str) -> dict[str, Any]:
    return {"question": example.question, "answer": answer}


def refcoco(example: Example, answer: str) -> dict[str, Any]:
    return {"sent_id": _number(example.id), "prediction": answer}


def llava(example: Example, answer: str) -> dict[str, Any]:
    return {
        "question_id": _number(_short(example)),
        "prompt": f"{example.question}\nAnswer the question using a single word or phrase.",
        "text": answer,
        "answer_id": "x7",
        "model_id": "llava-v1.5-7b",
        "metadata": {},
    }


def llava_textvqa(example: Example, answer: str) -> dict[str, Any]:
    return {**llava(example, answer), "question_id": example.cluster}


def lmms(example: Example, answer: str) -> dict[str, Any]:
    doc = {"question_id": _short(example), "question": example.question, "category": example.id.rpartition("/")[0]}
    return {
        "doc_id": 0,
        "doc": doc,
        "target": "no",
        "arguments": {"gen_kwargs": {}},
        "resps": [[answer]],
        "filtered_resps": [answer],
        "exact_match": 0.0,
    }


def lmms_without_doc(example: Example, answer: str) -> dict[str, Any]:
    return {"doc_id": 0, "target": "no", "filtered_resps": [answer], "input": f"{example.question}\nShort, please."}


def vlmevalkit(example: Example, answer: str) -> dict[str, Any]:
    return {"index": 0, "question": example.question, "answer": "no", "prediction": answer, "hit": 0}


RECORDS: Mapping[str, tuple[Callable[[Example, str], dict[str, Any]], frozenset[str]]] = {
    "plain": (plain, frozenset()),
    "vqa": (vqa, frozenset({"vqav2", "textvqa", "tallyqa"})),
    "gqa": (gqa, frozenset({"gqa"})),
    "vizwiz": (vizwiz, frozenset({"vizwiz"})),
    "pope": (pope, frozenset({"pope"})),
    "refcoco": (refcoco, frozenset({"refcoco"})),
    "llava": (llava, frozenset({"vqav2", "gqa", "vizwiz", "pope", "tallyqa"})),
    "llava-textvqa": (llava_textvqa, frozenset({"textvqa"})),
    "lmms": (lmms, frozenset({"vqav2", "gqa", "vizwiz", "textvqa", "pope"})),
    "lmms-without-doc": (lmms_without_doc, frozenset({"vqav2", "pope"})),
    "vlmevalkit": (vlmevalkit, frozenset({"vqav2", "pope"})),
}
"""Form -> record of an answer, and the benchmarks that have the form; none: every one."""


def records_of(form: str, examples: Sequence[Example], answers: Mapping[str, str]) -> Rows:
    """Write the records of a form, in the order of the references; positions are counted from 0."""
    record, _ = RECORDS[form]
    rows = [record(example, answers[example.id]) for example in examples]
    for number, row in enumerate(rows):
        row.update({key: number for key in ("doc_id", "index") if key in row})
    return rows


def forms_of(benchmark: str) -> list[str]:
    """List the forms that answers of a benchmark are found in."""
    return [form for form, (_, benchmarks) in RECORDS.items() if not benchmarks or benchmark in benchmarks]


def _separated(separator: str) -> Callable[[Rows], str]:
    def write(rows: Rows) -> str:
        out = io.StringIO()
        writer = csv.DictWriter(
            out, list(dict.fromkeys(key for row in rows for key in row)), delimiter=separator, lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()

    return write


FILES: Mapping[str, Callable[[Rows], str]] = {
    "lines": lambda rows: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
    "list": lambda rows: json.dumps(rows),
    "indented": lambda rows: json.dumps(rows, indent=2, ensure_ascii=False),
    "object": lambda rows: json.dumps({"model": "m", "results": rows}),
    "values": lambda rows: "\n".join(json.dumps(row, indent=1) for row in rows),
    ",": _separated(","),
    ";": _separated(";"),
    "\t": _separated("\t"),
}
"""Kind of file -> its text."""
TABLES = (",", ";", "\t")
"""Kinds whose cells are texts: nested values have no place in them."""
