"""Measure what scoring VQA predictions takes on one core: ``python -m measurements.scoring [--questions N]``.

Seconds are those of the processor, so that what else runs on the machine counts for little.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measurements.cost import told_cost

_WORDS = ("red", "blue", "yes", "no", "2", "two", "dog", "cat", "left", "right", "none", "street", "man", "woman")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=200_000)
    parser.add_argument("--score", nargs=2, metavar=("FOLDER", "PROTOCOL"), help="of the process that is measured")
    arguments = parser.parse_args()
    if arguments.score:
        folder, protocol = arguments.score
        _score(Path(folder), protocol)
    else:
        _score_apart(arguments.questions)


def _score_apart(questions: int) -> None:
    """Write the files, and score them under each protocol in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make(folder, questions)
        for protocol in ("official", "prismatic"):
            command = [sys.executable, "-m", "measurements.scoring", "--score", str(folder), protocol]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True)


def _make(folder: Path, number_of_questions: int) -> None:
    """Write VQAv2's files with ten answers each, from a thousand distinct ones; and predictions, one in two right."""
    draw = random.Random(7)
    answers = [" ".join(draw.choices(_WORDS, k=draw.choice((1, 1, 1, 2, 3)))) for _ in range(1000)]
    head = {"info": {}, "data_type": "mscoco", "data_subtype": "val2014", "license": {}}
    questions, annotations = [], []
    with (folder / "predictions.jsonl").open("w") as file:
        for number in range(number_of_questions):
            given = draw.choices(draw.sample(answers, 3), (6, 3, 1), k=10)
            prediction = given[0] if draw.random() < 0.5 else f"{draw.choice(answers)}."
            questions.append({"image_id": number // 5, "question": f"what is {number}?", "question_id": number})
            annotations.append(
                {
                    "question_id": number,
                    "image_id": number // 5,
                    "question_type": "what is",
                    "answer_type": ("other", "number", "yes/no")[number % 3],
                    "multiple_choice_answer": given[0],
                    "answers": [
                        {"answer": text, "answer_confidence": "yes", "answer_id": i + 1} for i, text in enumerate(given)
                    ],
                }
            )
            file.write(json.dumps({"id": number, "prediction": prediction}) + "\n")
    (folder / "questions.json").write_text(json.dumps({**head, "task_type": "Open-Ended", "questions": questions}))
    (folder / "annotations.json").write_text(json.dumps({**head, "annotations": annotations}))


def _score(folder: Path, protocol: str) -> None:
    from trainables.benchmarks.files.reference_files import find_files
    from trainables.benchmarks.predictions import read_predictions
    from trainables.benchmarks.registry import find_benchmark
    from trainables.benchmarks.scoring import score_predictions

    benchmark = find_benchmark("vqav2")
    marks = [time.process_time()]
    examples = benchmark.examples(
        find_files("vqav2", benchmark.files, [folder / "questions.json", folder / "annotations.json"])
    )
    marks.append(time.process_time())
    predictions = read_predictions(folder / "predictions.jsonl", examples)
    marks.append(time.process_time())
    scored = score_predictions(benchmark, protocol, examples, predictions, None)
    marks.append(time.process_time())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = [later - earlier for earlier, later in itertools.pairwise(marks)]
    print(
        f"{protocol}: {scored.n:,} predictions: references {seconds[0]:.1f} s, predictions {seconds[1]:.1f} s,"
        f" scoring {seconds[2]:.1f} s, whole process {marks[-1]:.1f} s; peak memory {peak_mb:,.0f} MB"
    )


if __name__ == "__main__":
    with told_cost():
        main()
