"""Write the text of a first study of somebody's own data: two arms, every line explained."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from orchestrator.first_study.own_data import OwnData
from search_spaces.families import FAMILY_PROTOCOL
from search_spaces.spec import SourceSpec
from trainables.storage.records import Counts

STEPS = 120
"""Optimizer steps that a small set is trained for: the answers of sixty drawn images are learnt in so many."""
SMALL = 2_000
"""Training records below which a batch is small, so that an epoch has several steps."""
SMALL_BATCH, BATCH = 16, 64
SEEDS = (1, 2, 3)
"""Two seeds know little of their own spread: their intervals are ten times as wide."""
RESOLUTIONS_PX = (64, 96, 128, 160, 192, 224)
"""Multiples of the encoder's stride of 32 px, up to the resolution that its weights were trained at."""
COMMENT_COLUMN = 46


@dataclass(frozen=True)
class Line:
    """A line of a study file and what it means."""

    text: str
    comment: str

    def __str__(self) -> str:
        if not self.text:
            return f"# {self.comment}" if self.comment else ""
        return f"{self.text:<{COMMENT_COLUMN - 2}}  # {self.comment}"


def study_text(name: str, data: OwnData) -> str:
    """Write a study of two arms on somebody's own data.

    Args:
        name: of the study.
        data: as `read_own_data` has read them.
    """
    batch = SMALL_BATCH if data.training_counts.records < SMALL else BATCH
    epochs = max(1, math.ceil(STEPS * batch / data.training_counts.records))
    side = next((side for side in RESOLUTIONS_PX if side >= data.side_px), RESOLUTIONS_PX[-1])
    train, test = data.training, data.test
    lines = [
        Line("", "Written by `ablate init`. Change any line and run it again: what is unchanged is kept."),
        Line("", "docs/study-file.md has every field; `ablate schema` prints them for an editor."),
        Line(f"study: {_quoted(name)}", "results are kept under this name"),
        Line("question: Do the encoder's pretrained weights help here?", "shown wherever the study is"),
        Line("", ""),
        Line("base:", "one complete model; every arm is a difference from it"),
        Line("  vision:", "what looks at the image"),
        Line("    backbone: efficientnet-lite0", "its weights come in a package; or any timm model"),
        Line(f"    resolution: {side}", f"px; yours: {data.side_px}; {side // 32 * (side // 32)} visual tokens"),
        Line("  projector: gelu-mlp", "two layers between image and language; or linear"),
        Line("  language: tiny", "small, of your data's words; or hub:ORG/MODEL@REV"),
        Line("  stages: [finetune]", "trains projector and language model"),
        Line(f"  epochs: {epochs}", f"about {_steps(data, epochs, batch):,} steps"),
        Line("  data: mine", "the mix below"),
        Line("recipe:", "learning rate, batch and schedule of each stage"),
        Line("  extends: quickstart", "`ablate ls recipes` has others"),
        Line(f"  finetune: {{global_batch: {batch}}}", "records in an optimizer step"),
        Line("", ""),
        Line("axes:", "what varies, one at a time; any field of the base can"),
        Line("  vision.weights: [pretrained, random]", "two arms: the base, and random weights in the encoder"),
        Line(f"seeds: {list(SEEDS)}", "each arm is trained once with each"),
        Line("hypotheses:", "claims, written before there are results"),
        Line("  - id: weights", "a name for the claim"),
        Line("    claim: Random weights answer worse", "in your words"),
        Line("    pairs: [[base, vision.weights=random]]", "the second is compared with the first"),
        Line("    expect: worse", "or better, equivalent, not-worse"),
        Line("", ""),
        Line("sources:", "your files, as they were when this was written"),
        Line(f"  {train.name}:", "what is trained on"),
        Line(f"    reader: {train.reader}", "format of the file"),
        Line(f"    path: {_quoted(train.path)}", "absolute, or below --data"),
        *_image_folder(train),
        *_counts(data.training_counts, "conversations; `run` says if there are others"),
        Line(f"  {test.name}:", "what is asked afterwards"),
        Line("    reader: questions", "one record for each question"),
        Line(f"    path: {_quoted(test.path)}", "absolute, or below --data"),
        *_image_folder(test),
        Line(f"    options: {{benchmark: {data.family}}}", _scored(data)),
        *_counts(data.test_counts, "questions"),
        Line("mixes:", "what stages train on, by name"),
        Line("  mine:", "all of your records; a part may have a `fraction` or a `repeat`"),
        Line(f"    parts: [{{source: {train.name}}}]", "further sources may stand beside it"),
        Line("benchmarks:", "what every trained model is asked"),
        Line(f"  - id: {test.name}", "its name in reports"),
        Line(f"    source: {test.name}", "the questions above"),
        Line(f"    protocol: {data.protocol}", _protocol(data)),
    ]  # fmt: skip
    return "".join(f"{line}".rstrip() + "\n" for line in lines)


def _steps(data: OwnData, epochs: int, batch: int) -> int:
    counts = data.training_counts
    groups = (counts.text_only, counts.records - counts.text_only)
    return epochs * sum(math.ceil(records / batch) for records in groups)


def _counts(counts: Counts, what: str) -> list[Line]:
    """Declare the counts of a source: with them a plan knows steps before any data are read."""
    lines = [Line(f"    records: {counts.records}", what)]
    if counts.text_only:
        lines.append(Line(f"    text_only_records: {counts.text_only}", "of them without an image"))
    return [*lines, Line(f"    images: {counts.images}", "different paths")]


def _image_folder(source: SourceSpec) -> list[Line]:
    if source.image_folder is None:
        return []  # Parquet holds its images
    return [Line(f"    image_folder: {_quoted(source.image_folder)}", "where image paths start")]


def _scored(data: OwnData) -> str:
    return f"how answers are scored: {data.asked.about.rpartition(';')[2].strip()}"


def _protocol(data: OwnData) -> str:
    if data.unlike_training:
        return "how they are asked: not as in training, see README.md"
    return "the question as it is" if data.protocol == FAMILY_PROTOCOL else "how they are asked: as in training"


def _quoted(text: str | None) -> str:
    """Write a text of YAML that is read as text, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)
