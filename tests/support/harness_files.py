"""Files of other evaluation harnesses, as these write them: lmms-eval's samples and VLMEvalKit's scored tables.

After lmms_eval/loggers/evaluation_tracker.py (`save_results_samples`) and the datasets of vlmeval (image_mcq.py,
image_yorn.py): which keys and columns there are, how files are called, what is text and what a number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl

DATE = "20250303_101010"


def right_answers(accuracy: float, seed: int, n: int) -> list[int]:
    """Draw which of `n` questions are answered rightly; the same ones are hard whatever the accuracy."""
    hard = np.random.default_rng(n).normal(size=n) + 0.5 * np.random.default_rng([seed, n]).normal(size=n)
    right = np.zeros(n, dtype=int)
    right[np.argsort(hard)[: round(accuracy * n)]] = 1
    return [int(value) for value in right]


def lmms_sample(number: int, right: float, metrics: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Make one line of samples; the model answers yes or no, and the target alternates."""
    target = ("yes", "no")[number % 2]
    answer = target if right else ("no", "yes")[number % 2]
    return {
        "doc_id": number,
        "target": target,
        "filtered_resps": [answer.capitalize()],
        "doc_hash": hashlib.sha256(f"{number}".encode()).hexdigest(),
        "prompt_hash": hashlib.sha256(b"prompt").hexdigest(),
        "target_hash": hashlib.sha256(target.encode()).hexdigest(),
        **metrics,
        "input": f"Is there a dog in picture {number}?\nAnswer the question using a single word or phrase.",
        **fields,
    }


def pope_metrics(number: int, right: float) -> dict[str, Any]:
    """Make the metrics of POPE: five mappings with the same score."""
    value = {"question_id": str(number + 1), "score": float(right), "prediction": "yes", "ground_truth": "yes"}
    return {f"pope_{name}": value for name in ("accuracy", "precision", "recall", "f1_score", "yes_ratio")}


def mme_metrics(number: int, right: float, n: int) -> dict[str, Any]:
    """Make the metric of MME: one of two, by the kind of question. Two questions share an image."""
    kind, category = ("cognition", "commonsense_reasoning") if number >= 0.75 * n else ("perception", "existence")
    value = {"question_id": f"{category}/{number // 2:06d}.jpg", "category": category, "score": float(right)}
    return {f"mme_{kind}_score": value}


def write_samples(folder: Path, task: str, samples: Sequence[dict[str, Any]]) -> Path:
    """Write samples of lmms-eval under their name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{DATE}_samples_{task}.jsonl"
    path.write_text("".join(f"{json.dumps(sample, ensure_ascii=False)}\n" for sample in samples))
    return path


def write_lmms_run(folder: Path, accuracy: float, seed: int, n: int = 80) -> None:
    """Write a run of lmms-eval on POPE and MME: its samples, and its results, which have no scores per question."""
    right = right_answers(accuracy, seed, n)
    write_samples(folder, "pope", [lmms_sample(i, r, pope_metrics(i, r)) for i, r in enumerate(right)])
    write_samples(folder, "mme", [lmms_sample(i, r, mme_metrics(i, r, n)) for i, r in enumerate(right)])
    (folder / f"{DATE}_results.json").write_text(
        json.dumps({"results": {"mme": {"mme_perception_score,none": 1400.0}}})
    )


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write records as an Excel workbook, or as tsv or json by the ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".tsv":
        lines = ["\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows)]
        path.write_text("\n".join(lines) + "\n")
    else:
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append(list(row.values()))
        book.save(path)
    return path


def choice_rows(accuracy: float, seed: int, n: int = 80) -> list[dict[str, Any]]:
    """Make the rows of a scored multiple-choice set."""
    return [
        {
            "index": number,
            "question": f"Which animal is in picture {number}?",
            "A": "cat",
            "B": "dog",
            "answer": "A",
            "category": "animals",
            "prediction": "A. cat" if right else "B. dog",
            "hit": right,
            "log": "Match Log",
        }
        for number, right in enumerate(right_answers(accuracy, seed, n))
    ]


def yes_no_rows(accuracy: float, seed: int, n: int = 80) -> list[dict[str, Any]]:
    """Make the rows of a scored set of yes-no questions, three about each image."""
    return [
        {
            "index": number,
            "image_path": f"COCO_val2014_{number // 3:012d}.jpg",
            "question": f"Is there a dog in picture {number}?",
            "answer": ("Yes", "No")[number % 2],
            "prediction": "Yes, there is.",
            "extracted": ("Yes", "No")[number % 2] if right else ("No", "Yes")[number % 2],
            "score": bool(right),
        }
        for number, right in enumerate(right_answers(accuracy, seed, n))
    ]


def write_vlmevalkit_run(folder: Path, model: str, accuracy: float, seed: int, ending: str = "xlsx") -> Path:
    """Write a run of VLMEvalKit on a multiple-choice and a yes-no set into `<folder>/<model>/T.../`."""
    run = folder / model / "T20250303_G1a2b3c4d"
    rows = choice_rows(accuracy, seed)
    predictions = [{name: row[name] for name in ("index", "question", "answer", "prediction")} for row in rows]
    write_table(run / f"{model}_MMBench_DEV_EN.{ending}", predictions)
    write_table(run / f"{model}_MMBench_DEV_EN_exact_matching_result.{ending}", rows)
    write_table(run / f"{model}_POPE_auxmatch.{ending}", yes_no_rows(accuracy, seed))
    return run
