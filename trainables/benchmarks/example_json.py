"""Write examples of a benchmark as JSON and read them back."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from trainables.benchmarks.contract import Example


def dump_example(example: Example) -> str:
    return json.dumps(asdict(example), sort_keys=True, separators=(",", ":"))


def load_example(text: str) -> Example:
    fields: dict[str, Any] = json.loads(text)
    return Example(**{**fields, "options": tuple(fields["options"])})


def right_answer(example: Example) -> str:
    """Write a right answer as text: of several people's the most frequent, of a box its corners."""
    reference = example.reference
    if isinstance(reference, dict):
        reference = reference.get("answer", reference.get("answers", reference.get("box")))
    if isinstance(reference, list) and reference and isinstance(reference[0], str):
        return str(Counter(reference).most_common(1)[0][0])
    if example.options and isinstance(reference, int):
        return example.options[reference]
    return reference if isinstance(reference, str) else json.dumps(reference)
