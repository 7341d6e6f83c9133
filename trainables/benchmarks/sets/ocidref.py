"""Define OCID-Ref validation: grounding in cluttered scenes of household objects, by degree of clutter."""

from __future__ import annotations

import json

from search_spaces.errors import InputError
from trainables.benchmarks.contract import Benchmark, Example, Totals
from trainables.benchmarks.files.record_fields import Fields, four_numbers
from trainables.benchmarks.files.reference_files import Document, ReferenceFiles, WantedFile
from trainables.benchmarks.scorers.boxes import Size
from trainables.benchmarks.scorers.grounding import protocols, reference

_SIZE = Size(640, 480)
"""Of all images."""
_CLUTTER = {"minimum": range(10), "medium": range(10, 17), "maximum": range(17, 21)}
"""Numbers of the take in its sequence, each with one object more on the table."""
_THRESHOLD = 0.25
"""Wang et al., OCID-Ref (NAACL 2021)."""


def read(files: ReferenceFiles, split: str | None) -> list[Example]:
    document = files.one("expressions", _is_expressions)
    examples = [_example(n, Fields(row, f"{document.place}: {n}")) for n, row in document.value.items()]
    files.forget()
    return examples


def _is_expressions(document: Document) -> bool:
    value = document.value
    first = next(iter(value.values()), None) if isinstance(value, dict) else None
    return isinstance(first, dict) and {"sentence", "bbox", "take_id"} <= first.keys()


def _example(number: str, row: Fields) -> Example:
    """Make an example. Boxes are text, and corners, although the set's own notes have width and height."""
    try:
        box = json.loads(row.text("bbox"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"must be a list as JSON text, but {error}", place=row.place, key="bbox") from error
    x0, y0, x1, y1 = four_numbers(box, row.place, "bbox")
    image = row.text("scene_path")
    groups = {"clutter": _clutter(row)}
    return Example(
        number, image, image, row.text("sentence"), reference=reference((x0, y0, x1, y1), _SIZE), groups=groups
    )


def _clutter(row: Fields) -> str:
    take = row.whole("take_id")
    degree = next((name for name, takes in _CLUTTER.items() if take in takes), None)
    if degree is None:
        raise InputError(f"must be within 0 and 20, but got {take}", place=row.place, key="take_id")
    return degree


BENCHMARK = Benchmark(
    id="ocidref",
    title="OCID-Ref",
    split="val",
    files=(WantedFile("expressions", ("val_expressions.json",), "https://github.com/lluma/OCID-Ref"),),
    images="OCID (https://www.acin.tuwien.ac.at/en/vision-for-robotics/software-tools/), as <scene_path>",
    totals=Totals((18_342,)),
    read=read,
    strata=("clutter",),
    protocols=protocols(_THRESHOLD, by=("clutter",)),
)
