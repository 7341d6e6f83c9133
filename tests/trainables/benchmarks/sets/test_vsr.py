"""VSR's protocols on the cases in which the original programs were seen to differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.official_files.vsr import write_vsr
from tests.support.official_scores import points, read, scored
from trainables.benchmarks.registry import BENCHMARKS


def test_vsr_protocols(tmp_path: Path) -> None:
    write_vsr(tmp_path, (1, 0, 1))
    examples = read("vsr", tmp_path)
    assert [example.id for example in examples] == ["0", "1", "2"]
    assert points("vsr", "official", examples, "true", "0", "1") == 100
    assert points("vsr", "prismatic", examples, "True", "False.", "True") == 100
    kit = scored("vsr", "vlmevalkit", examples, ["True", "no", "Yes."])
    assert kit.metrics["accuracy"] == pytest.approx(200 / 3)  # True and False are unknown words there
    assert kit.unparsable == 1
    assert kit.metrics["precision"] == 100
    assert kit.metrics["f1"] == pytest.approx(2 / 3)  # a share, while the others are percentages
    assert BENCHMARKS["vsr"].protocols["prismatic"].options(examples[0]) == ("True", "False")
    assert BENCHMARKS["vsr"].protocols["official"].options(examples[0]) == ("False", "True")


def test_vsr_areas_of_one_class_are_left_out_with_a_warning(tmp_path: Path) -> None:
    write_vsr(tmp_path, (1, 1))
    likelihoods = [{"True": 0.9, "False": 0.1}] * 2
    result = scored("vsr", "prismatic", read("vsr", tmp_path), ["True", "True"], likelihoods=likelihoods)
    assert "roc_auc" not in result.metrics
    assert result.warnings
