"""POPE's protocols on the cases in which the original programs were seen to differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import InputError
from tests.support.official_files.pope import write_pope
from tests.support.official_scores import points, read, scored
from trainables.benchmarks.registry import BENCHMARKS


@pytest.mark.parametrize(
    "output", ["NO", "No!", "no\n", "nope", "none", "isn't", "", "maybe", "Hmm. No.", "1. No", "Not"]
)
def test_pope_takes_for_yes(output: str, tmp_path: Path) -> None:
    write_pope(tmp_path, ("yes",), ("random",))
    examples = read("pope", tmp_path)
    assert [points("pope", name, examples, output) for name in ("official", "llava")] == [100, 100]


@pytest.mark.parametrize("output", ["yes, not a dog", "I do not think so", "No", "no", "No, there is"])
def test_pope_takes_for_no(output: str, tmp_path: Path) -> None:
    write_pope(tmp_path, ("no",), ("random",))
    assert points("pope", "official", read("pope", tmp_path), output) == 100


@pytest.mark.parametrize("protocol", ["official", "llava"])
def test_pope_counts_a_yes_that_nobody_said_as_unparsable(protocol: str, tmp_path: Path) -> None:
    write_pope(tmp_path, splits=("random",))
    examples = read("pope", tmp_path)
    for output in ("maybe", "", "NO!", "no\n", "No</s>", "true", "<think>yes or no</think>no"):
        assert scored("pope", protocol, examples, [output] * 4).unparsable == 4, output
    for output in ("Yes", "yes, there is", " no", "No.", "I do not think so", "Yes. It is not far."):
        assert scored("pope", protocol, examples, [output] * 4).unparsable == 0, output


def test_pope_official_is_the_mean_over_splits_with_pooled_beside_it(tmp_path: Path) -> None:
    write_pope(tmp_path, splits=("random", "popular"))
    outputs = ["yes", "no", "yes", "no", "yes", "yes", "no", "no"]
    metrics = scored("pope", "official", read("pope", tmp_path), outputs).metrics
    assert metrics["f1/random"] == 1
    assert metrics["f1/popular"] == 0.5
    assert metrics["f1"] == 0.75
    assert metrics["f1/pooled"] == 0.75
    assert metrics["yes_ratio"] == 0.5
    assert metrics["accuracy/popular"] == 50


def test_pope_always_no_gives_zeros_and_a_warning(tmp_path: Path) -> None:
    write_pope(tmp_path, splits=("random",))
    result = scored("pope", "official", read("pope", tmp_path), ["no"] * 4)
    assert (result.metrics["f1"], result.metrics["precision"], result.metrics["accuracy"]) == (0, 0, 50)
    assert any("precision" in warning for warning in result.warnings)


def test_pope_peers(tmp_path: Path) -> None:
    write_pope(tmp_path, splits=("random",))
    examples = read("pope", tmp_path)
    lmms = scored("pope", "lmms", examples, ["Yes.", "no", "yes", "yes"]).metrics
    assert lmms["accuracy"] == 50  # "Yes." is wrong
    assert lmms["yes_ratio"] == 0.5  # of the references, whatever is said
    assert lmms["recall"] == 1  # the unread answer is missing from it
    assert lmms["precision"] == 0.5
    kit = scored("pope", "vlmevalkit", examples, ["perhaps", "perhaps", "Yes!", "No, it is not."])
    assert kit.metrics["accuracy"] == 50
    assert kit.metrics["recall"] == 50
    assert kit.metrics["f1"] == pytest.approx(100 * 2 / 3)
    assert kit.unparsable == 2


def test_pope_prismatic_ranks_and_a_tie_is_yes(tmp_path: Path) -> None:
    write_pope(tmp_path, splits=("random",))
    examples = read("pope", tmp_path)
    likelihoods = [{"Yes": 0.9, "No": 0.1}, {"Yes": 0.2, "No": 0.8}, {"Yes": 0.6, "No": 0.4}, {"Yes": 0.7, "No": 0.3}]
    result = scored("pope", "prismatic", examples, ["Yes", "No", "Yes", "Yes"], likelihoods=likelihoods)
    assert result.metrics["accuracy"] == 75
    assert result.metrics["roc_auc"] == pytest.approx(3 / 4)
    assert result.metrics["pr_auc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert BENCHMARKS["pope"].protocols["prismatic"].options(examples[0])[0] == "Yes"


def test_a_pope_file_without_a_split_in_its_name_is_refused(tmp_path: Path) -> None:
    write_pope(tmp_path, splits=("random",))
    (tmp_path / "coco_pope_random.json").rename(tmp_path / "questions.json")
    with pytest.raises(InputError, match="must name its split"):
        read("pope", tmp_path)
