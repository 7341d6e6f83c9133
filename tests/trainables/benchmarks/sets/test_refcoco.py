"""RefCOCO's protocols on the cases in which the original programs were seen to differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from tests.support.official_files.refcoco import write_refcoco
from tests.support.official_scores import points, read, scored
from trainables.benchmarks.registry import BENCHMARKS


def _boxes(folder: Path, xywh: list[float], output: str, size: tuple[int, int] = (640, 480)) -> dict[str, float]:
    write_refcoco(folder, [xywh], size)
    examples = read("refcoco", folder)[:1]
    return {name: points("refcoco", name, examples, output) / 100 for name in BENCHMARKS["refcoco"].protocols}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("[0.1, 0.1, 0.6, 0.6]", (1, 1, 1, 1)),
        ("[64, 48, 384, 288]", (1, 0, 0, 0)),  # pixels: 0 in lmms, thousandths in VLMEvalKit
        ("[0.6, 0.6, 0.1, 0.1]", (0, 0, 0, 1)),  # reversed corners
        ("The box is [0.1, 0.1, 0.6, 0.6].", (1, 0, 1, 1)),
        ("[0.1 0.1 0.6 0.6]", (1, 0, 0, 1)),
        ("(0.1, 0.1), (0.6, 0.6)", (1, 0, 0, 1)),
        ("[.1, .1, .6, .6]", (1, 1, 0, 1)),
        ("[1e-1, 1e-1, 6e-1, 6e-1]", (1, 1, 0, 1)),
        ("[0.1, 0.1, 0.6, 0.6] [0, 0, 0.1, 0.1]", (1, 0, 1, 1)),  # the first of several
        ("[0, 0, 0.1, 0.1] [0.1, 0.1, 0.6, 0.6]", (0, 0, 0, 0)),
        ("[0.1, 0.1, 0.1, 0.6]", (0, 0, 0, 0)),  # no area
        ("[100, 100, 600, 600]", (0, 0, 0, 1)),
        ("", (0, 0, 0, 0)),
    ],
)
def test_boxes_as_each_program_reads_them(output: str, expected: tuple[int, ...], tmp_path: Path) -> None:
    scores = _boxes(tmp_path, [64.0, 48.0, 320.0, 240.0], output)
    assert tuple(scores[name] for name in ("official", "prismatic", "lmms", "vlmevalkit")) == expected


def test_exactly_half_counts_in_pixels_and_is_lost_to_rounding_in_shares(tmp_path: Path) -> None:
    scores = _boxes(tmp_path, [64.0, 48.0, 320.0, 240.0], "[0.1, 0.1, 0.35, 0.6]")
    assert (scores["official"], scores["vlmevalkit"]) == (1, 1)
    assert (scores["prismatic"], scores["lmms"]) == (0, 0)


def test_references_of_two_decimals_cost_small_boxes(tmp_path: Path) -> None:
    scores = _boxes(tmp_path, [100.0, 100.0, 2.0, 2.0], "[0.15625, 0.20833333333333334, 0.159375, 0.2125]")
    assert scores["prismatic"] == 0
    assert scores["official"] == 1


def test_a_reference_that_leaves_its_image_is_scored_with_a_warning(tmp_path: Path) -> None:
    write_refcoco(tmp_path, [[600.0, 400.0, 40.01, 80.0]])
    examples = read("refcoco", tmp_path)[:1]
    result = scored("refcoco", "prismatic", examples, ["[0.94, 0.83, 1.0, 1.0]"])
    assert result.metrics["accuracy"] == 100
    assert any("refuses" in warning for warning in result.warnings)


def test_lmms_gives_iou_thresholds_and_the_center(tmp_path: Path) -> None:
    write_refcoco(tmp_path, [[64.0, 48.0, 320.0, 240.0]])
    examples = read("refcoco", tmp_path)[:1]
    metrics = scored("refcoco", "lmms", examples, ["[0.1, 0.1, 0.6, 0.4]"]).metrics
    assert metrics["iou"] == pytest.approx(0.6)
    assert [metrics[f"accuracy_iou_{t}"] for t in (0.1, 0.3, 0.5, 0.7, 0.9)] == [100, 100, 100, 0, 0]
    assert metrics["center_accuracy"] == 100


def test_one_example_for_each_sentence_of_the_split(tmp_path: Path) -> None:
    write_refcoco(tmp_path)
    assert [example.id for example in read("refcoco", tmp_path)] == ["0", "1", "2", "3"]
    assert [example.id for example in read("refcoco", tmp_path, "testA")] == ["990"]
    with pytest.raises(InputError, match="but has testA, val"):
        read("refcoco", tmp_path, "testB")
    with pytest.raises(InputError, match="Did you mean 'val'"):
        read("refcoco", tmp_path, "vall")
