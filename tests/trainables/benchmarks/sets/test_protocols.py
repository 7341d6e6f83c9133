"""Each benchmark's protocols on the cases in which the programs behind them were seen to differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search_spaces.errors import InputError
from tests.support import official_files as official
from trainables.benchmarks.contract import Example
from trainables.benchmarks.files.reference_files import find_files
from trainables.benchmarks.registry import BENCHMARKS
from trainables.benchmarks.scoring import Scored, score_one, summarise


def read(name: str, folder: Path, split: str | None = None) -> list[Example]:
    benchmark = BENCHMARKS[name]
    return benchmark.examples(find_files(name, benchmark.files, [folder]), split)


def scored(name: str, protocol: str, examples: list[Example], outputs: list[str], **scores: Any) -> Scored:
    found = BENCHMARKS[name].protocol(protocol)
    likelihoods = scores.get("likelihoods") or [None] * len(outputs)
    rows = [score_one(found, *of) for of in zip(examples, outputs, likelihoods, strict=True)]
    return summarise(BENCHMARKS[name], protocol, rows)


def points(name: str, protocol: str, examples: list[Example], *outputs: str) -> float:
    return scored(name, protocol, examples, list(outputs)).metrics["accuracy"]


# ---------------------------------------------------------------- VQAv2


@pytest.mark.parametrize(
    ("references", "output", "expected"),
    [
        (["black"] * 10, "Black.", {"official": 0, "official_2016": 100, "prismatic": 100, "lmms": 100}),
        (["black"] * 10, " black\n", {"official": 100, "official_2016": 100}),
        (["the dog"] * 9 + ["cat"], "the dog", {"official": 100, "official_2016": 0, "prismatic": 0, "lmms": 100}),
        (["Yes"] * 9 + ["no"], "yes", {"official": 100, "official_2016": 0, "prismatic": 0, "vlmevalkit": 100}),
        (["two"] * 9 + ["3"], "two", {"official": 100, "official_2016": 0, "prismatic": 0, "lmms": 100}),
        (["none"] * 9 + ["2"], "0", {"official": 100}),
        (["two"] * 10, "two", {"official": 100, "official_2016": 0, "prismatic": 0}),
        (["2"] * 5 + ["2."] * 5, "2.", {"official": 100, "lmms": 100, "vlmevalkit": 100}),
        (["2"] * 9 + ["3"], "2.", {"official": 100, "vlmevalkit": 0}),
    ],
)
def test_vqav2_variants(tmp_path: Path, references: list[str], output: str, expected: dict[str, float]) -> None:
    official.vqav2(tmp_path, [official.ten(*references)])
    examples = read("vqav2", tmp_path)
    assert {name: points("vqav2", name, examples, output) for name in expected} == pytest.approx(expected)


def test_vqav2_identical_entries_without_answer_ids_count_each(tmp_path: Path) -> None:
    official.vqav2(tmp_path, [[{"answer": "yes"}] * 10, [{"answer": "yes"}] * 5 + [{"answer": "no"}] * 5])
    assert points("vqav2", "official", read("vqav2", tmp_path), "yes", "yes") == 100


def test_vqav2_reports_answer_types_and_question_types(tmp_path: Path) -> None:
    official.vqav2(tmp_path)
    result = scored("vqav2", "official", read("vqav2", tmp_path), ["red", "no", "2"])
    assert result.metrics["accuracy/other"] == 100
    assert result.metrics["accuracy/yes/no"] == pytest.approx(100)
    assert result.metrics["accuracy/number"] == pytest.approx(60)
    assert set(result.by) == {"answer_type", "question_type"}


def test_vqav2_scoring_twice_gives_the_same(tmp_path: Path) -> None:
    official.vqav2(tmp_path, [official.ten("The dog", "a dog", "cats")])
    examples = read("vqav2", tmp_path)
    assert [points("vqav2", "official", examples, "dog") for _ in range(2)] == pytest.approx([60, 60])


# ---------------------------------------------------------------- TextVQA, VizWiz


def test_textvqa_apostrophes_cost_as_in_m4c(tmp_path: Path) -> None:
    official.textvqa(tmp_path, [["where's", "where's", *["x"] * 8], ["wheres", "wheres", *["y"] * 8]])
    examples = read("textvqa", tmp_path)
    result = scored("textvqa", "official", examples, ["wheres", "wheres"])
    assert [row.score for row in result.rows] == pytest.approx([0, 0.6])


def test_textvqa_sentences_score_nothing(tmp_path: Path) -> None:
    official.textvqa(tmp_path, [["acme"] * 10])
    assert points("textvqa", "llava", read("textvqa", tmp_path), "the brand is acme") == 0


def test_textvqa_with_ocr_asks_with_the_tokens_and_without_their_file_only_scores(tmp_path: Path) -> None:
    official.textvqa_ocr(tmp_path)
    protocols = BENCHMARKS["textvqa-ocr"].protocols
    (first, _) = read("textvqa-ocr", tmp_path)
    question = "what is the brand of this camera?"
    short = "\nAnswer the question using a single word or phrase."
    assert protocols["official"].prompt(first) == f"{question}\nReference OCR token: ACME, 12{short}"
    assert protocols["lmms"].prompt(first) == f"{question.capitalize()}\nReference OCR token: ACME, 12{short}"
    (tmp_path / "TextVQA_Rosetta_OCR_v0.2_val.json").unlink()
    examples = read("textvqa-ocr", tmp_path)
    assert points("textvqa-ocr", "official", examples, "acme", "12 oz") == pytest.approx(100)
    with pytest.raises(InputError, match="needs OCR tokens"):
        protocols["official"].prompt(examples[0])


def test_textvqa_ocr_of_llavas_question_file_is_joined_in_order_and_checked(tmp_path: Path) -> None:
    official.textvqa(tmp_path)
    question = "what is the brand of this camera?"
    text = f"{question}\nReference OCR token: A, B\nAnswer the question using a single word or phrase."
    rows = [{"question_id": f"003a{n}", "image": "x.jpg", "text": text} for n in range(2)]
    official._lines(tmp_path / "llava_textvqa_val_v051_ocr.jsonl", rows)
    examples = read("textvqa-ocr", tmp_path)
    assert BENCHMARKS["textvqa-ocr"].protocols["llava"].prompt(examples[1]) == text
    official._lines(
        tmp_path / "llava_textvqa_val_v051_ocr.jsonl", [{**rows[0], "text": "who?\nReference OCR token: A"}] * 2
    )
    with pytest.raises(InputError, match="must be about question"):
        read("textvqa-ocr", tmp_path)


@pytest.mark.parametrize(
    ("references", "output", "expected"),
    [
        (["Coke", "Coke", *["x"] * 8], "Coke", {"official": 0, "prismatic": 0, "lmms": 60, "vlmevalkit": 60}),
        (["didn't"] * 10, "didnt", {"official": 0, "prismatic": 0, "lmms": 100}),
        (["didn\u2019t"] * 10, "didnt", {"official": 100, "prismatic": 0}),
        (["didn`t"] * 10, "didnt", {"official": 0, "prismatic": 100}),
        (["basil"] * 10, "The basil.", {"official": 100, "prismatic": 100}),
    ],
)
def test_vizwiz_references_are_raw(
    tmp_path: Path, references: list[str], output: str, expected: dict[str, float]
) -> None:
    official.vizwiz(tmp_path, [references])
    examples = read("vizwiz", tmp_path)
    assert {name: points("vizwiz", name, examples, output) for name in expected} == pytest.approx(expected)


def test_vizwiz_answerability_takes_only_the_exact_word(tmp_path: Path) -> None:
    texts = [["unanswerable"] * 10, ["unanswerable"] * 10, ["basil"] * 10, ["basil"] * 10]
    official.vizwiz(tmp_path, texts)
    outputs = ["Unanswerable.", "it is unanswerable", "unanswerable", "basil"]
    metrics = scored("vizwiz", "prismatic", read("vizwiz", tmp_path), outputs).metrics
    assert metrics["unanswerable_f1"] == pytest.approx(50)
    assert metrics["unanswerable_average_precision"] == pytest.approx(50)  # P(1/2) x R(1/2) + P(2/4) x the rest
    assert metrics["accuracy/unanswerable"] == pytest.approx(50)


# ---------------------------------------------------------------- GQA


@pytest.mark.parametrize(
    ("answer", "output", "expected"),
    [
        ("yes", "Yes.", (0, 1, 1, 1, 0)),
        ("t-shirt", "t-shirt", (1, 1, 0, 1, 1)),
        ("cow's", "cow's", (1, 1, 0, 1, 1)),
        ("yes", " yes", (0, 0, 0, 1, 1)),
        ("yes", "YES!", (0, 0, 1, 1, 0)),
    ],
)
def test_gqa_cleaning(tmp_path: Path, answer: str, output: str, expected: tuple[int, ...]) -> None:
    official.gqa(tmp_path, {"1": official.gqa_question(answer)})
    examples = read("gqa", tmp_path)
    names = ("official", "llava", "prismatic", "lmms", "vlmevalkit")
    assert tuple(points("gqa", name, examples, output) / 100 for name in names) == expected


def test_gqa_counts_balanced_questions_and_gives_consistency_where_entailed_ones_are_there(tmp_path: Path) -> None:
    questions = {
        "1": official.gqa_question("no", entailed=["1", "2", "3"]),
        "2": official.gqa_question("yes", isBalanced=False),
        "3": official.gqa_question("left", isBalanced=False),
    }
    official.gqa(tmp_path, questions)
    result = scored("gqa", "official", read("gqa", tmp_path), ["no", "yes", "right"])
    assert (result.n, result.excluded) == (1, 2)
    assert result.metrics["accuracy"] == 100
    assert result.metrics["consistency"] == 50
    assert "validity" not in result.metrics
    assert "distribution" not in result.metrics


def test_gqa_distribution_and_choices(tmp_path: Path) -> None:
    groups = {"global": "color", "local": "x"}
    questions = {str(n): official.gqa_question(a, groups=groups) for n, a in enumerate(["red", "red", "blue"])}
    official.gqa(tmp_path, questions)
    choices = {number: {"valid": ["red", "blue"], "plausible": ["red"]} for number in questions}
    official._write(tmp_path / "testdev_choices.json", choices)
    metrics = scored("gqa", "official", read("gqa", tmp_path), ["red", "blue", "green"]).metrics
    # red: (1 - 2)^2 / 2, blue: (1 - 1)^2 / 1, weighted by 3 of 3 questions, / 100
    assert metrics["distribution"] == pytest.approx(0.5 / 100)
    assert metrics["validity"] == pytest.approx(200 / 3)
    assert metrics["plausibility"] == pytest.approx(100 / 3)


# ---------------------------------------------------------------- POPE, VSR


@pytest.mark.parametrize(
    "output", ["NO", "No!", "no\n", "nope", "none", "isn't", "", "maybe", "Hmm. No.", "1. No", "Not"]
)
def test_pope_takes_for_yes(output: str, tmp_path: Path) -> None:
    official.pope(tmp_path, ("yes",), ("random",))
    examples = read("pope", tmp_path)
    assert [points("pope", name, examples, output) for name in ("official", "llava")] == [100, 100]


@pytest.mark.parametrize("output", ["yes, not a dog", "I do not think so", "No", "no", "No, there is"])
def test_pope_takes_for_no(output: str, tmp_path: Path) -> None:
    official.pope(tmp_path, ("no",), ("random",))
    assert points("pope", "official", read("pope", tmp_path), output) == 100


def test_pope_counts_what_says_neither_as_unparsable(tmp_path: Path) -> None:
    official.pope(tmp_path, splits=("random",))
    assert scored("pope", "official", read("pope", tmp_path), ["Yes", "maybe", "NO!", ""]).unparsable == 2


def test_pope_official_is_the_mean_over_splits_with_pooled_beside_it(tmp_path: Path) -> None:
    official.pope(tmp_path, splits=("random", "popular"))
    outputs = ["yes", "no", "yes", "no", "yes", "yes", "no", "no"]
    metrics = scored("pope", "official", read("pope", tmp_path), outputs).metrics
    assert metrics["f1/random"] == 1
    assert metrics["f1/popular"] == 0.5
    assert metrics["f1"] == 0.75
    assert metrics["f1/pooled"] == 0.75
    assert metrics["yes_ratio"] == 0.5
    assert metrics["accuracy/popular"] == 50


def test_pope_always_no_gives_zeros_and_a_warning(tmp_path: Path) -> None:
    official.pope(tmp_path, splits=("random",))
    result = scored("pope", "official", read("pope", tmp_path), ["no"] * 4)
    assert (result.metrics["f1"], result.metrics["precision"], result.metrics["accuracy"]) == (0, 0, 50)
    assert any("precision" in warning for warning in result.warnings)


def test_pope_peers(tmp_path: Path) -> None:
    official.pope(tmp_path, splits=("random",))
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
    official.pope(tmp_path, splits=("random",))
    examples = read("pope", tmp_path)
    likelihoods = [{"Yes": 0.9, "No": 0.1}, {"Yes": 0.2, "No": 0.8}, {"Yes": 0.6, "No": 0.4}, {"Yes": 0.7, "No": 0.3}]
    result = scored("pope", "prismatic", examples, ["Yes", "No", "Yes", "Yes"], likelihoods=likelihoods)
    assert result.metrics["accuracy"] == 75
    assert result.metrics["roc_auc"] == pytest.approx(3 / 4)
    assert result.metrics["pr_auc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert BENCHMARKS["pope"].protocols["prismatic"].options(examples[0])[0] == "Yes"


def test_a_pope_file_without_a_split_in_its_name_is_refused(tmp_path: Path) -> None:
    official.pope(tmp_path, splits=("random",))
    (tmp_path / "coco_pope_random.json").rename(tmp_path / "questions.json")
    with pytest.raises(InputError, match="must tell its split"):
        read("pope", tmp_path)


def test_vsr_protocols(tmp_path: Path) -> None:
    official.vsr(tmp_path, (1, 0, 1))
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
    official.vsr(tmp_path, (1, 1))
    likelihoods = [{"True": 0.9, "False": 0.1}] * 2
    result = scored("vsr", "prismatic", read("vsr", tmp_path), ["True", "True"], likelihoods=likelihoods)
    assert "roc_auc" not in result.metrics
    assert result.warnings


# ---------------------------------------------------------------- TallyQA


def test_tallyqa_official_splits_by_source_and_drops_the_rest(tmp_path: Path) -> None:
    official.tallyqa(tmp_path)
    result = scored("tallyqa", "official", read("tallyqa", tmp_path), ["4", "3", "3", "14"])
    assert (result.n, result.excluded) == (3, 1)
    assert result.metrics["accuracy/simple"] == 0
    assert result.metrics["accuracy/complex"] == 50
    assert result.metrics["rmse/simple"] == 1
    assert result.metrics["rmse/complex"] == pytest.approx((4 / 2) ** 0.5)


@pytest.mark.parametrize(
    ("output", "count"), [("4", 4), ("many", 0), ("", 0), ("four", 0), ("2.7", 3), ("2.5", 2), ("\u00b2", 0)]
)
def test_tallyqa_official_counts(output: str, count: int, tmp_path: Path) -> None:
    official.tallyqa(tmp_path, [(count, "amt", True)])
    assert points("tallyqa", "official", read("tallyqa", tmp_path), output) == 100


@pytest.mark.parametrize(
    ("output", "count"),
    [
        ("4", 4),
        ("There are two dogs", 2),
        ("none", None),
        ("21", None),
        ("3rd", None),
        ("03", None),
        ("-3", 3),
        ("1,000", 1),
        ("twenty one", 20),
        ("3.7", 3),
        ("TEN", 10),
    ],
)
def test_tallyqa_vlmevalkit_counts(output: str, count: int | None, tmp_path: Path) -> None:
    official.tallyqa(tmp_path, [(3 if count is None else count, "amt", True)])
    result = scored("tallyqa", "vlmevalkit", read("tallyqa", tmp_path), [output])
    assert (result.metrics["accuracy"], result.unparsable) == ((0, 1) if count is None else (100, 0))


def test_tallyqa_prismatic_cannot_count_beyond_15(tmp_path: Path) -> None:
    official.tallyqa(tmp_path, [(15, "amt", True), (16, "amt", False)])
    examples = read("tallyqa", tmp_path)
    protocol = BENCHMARKS["tallyqa"].protocols["prismatic"]
    assert protocol.options(examples[0]) == tuple("ABCDEFGHIJKLMNOP")
    assert protocol.prompt(examples[0]).split("\n")[1:17:15] == ["A. 0", "P. 15"]
    result = scored("tallyqa", "prismatic", examples, ["P", "P"])
    assert result.metrics == {"accuracy": 50, "accuracy/complex": 0, "accuracy/simple": 100}


# ---------------------------------------------------------------- AI2D


@pytest.mark.parametrize(
    ("output", "lmms", "kit"),
    [
        ("C", 1, 1),
        ("c", 1, 0),
        ("(C)", 1, 1),
        ("**C**", 1, 1),
        ("C. krill", 1, 1),
        ("Answer: C", 0, 1),
        ("The answer is C.", 0, 1),
        ("krill", 0, 1),
        ("C?", 1, 0),
        ("C-", 1, 0),
        ("The correct answer is **C** as all the whales around there eat it", 0, 1),
    ],
)
def test_ai2d_letters(output: str, lmms: int, kit: int, tmp_path: Path) -> None:
    official.ai2d(tmp_path, ("fox", "cow", "krill", "hawk"), 2)
    examples = read("ai2d", tmp_path)
    assert points("ai2d", "lmms", examples, output, output) == 100 * lmms
    assert points("ai2d", "vlmevalkit", examples, output, output) == 100 * kit


def test_ai2d_vlmevalkit_pitfalls(tmp_path: Path) -> None:
    official.ai2d(tmp_path, ("x", "xx", "yy", "zz"), 1)
    assert points("ai2d", "vlmevalkit", read("ai2d", tmp_path), "xx", "xx") == 0
    official.ai2d(tmp_path, ("fox", "whale", "krill", "a very long text"), 1)
    examples = read("ai2d", tmp_path)
    sentence = "C, because A whale is big"
    assert points("ai2d", "vlmevalkit", examples, sentence, sentence) == 100  # it takes B for the answer


def test_ai2d_splits_by_test_ids_and_pools(tmp_path: Path) -> None:
    official.ai2d(tmp_path)
    examples = read("ai2d", tmp_path)
    assert [(example.id, example.groups["split"]) for example in examples] == [("7.png-0", "test"), ("12.png-0", "val")]
    assert scored("ai2d", "prismatic", examples, ["C", "A"]).metrics == {
        "accuracy": 50,
        "accuracy/test": 100,
        "accuracy/val": 0,
    }
    assert [example.id for example in read("ai2d", tmp_path, "val")] == ["12.png-0"]


# ---------------------------------------------------------------- boxes


def _boxes(folder: Path, xywh: list[float], output: str, size: tuple[int, int] = (640, 480)) -> dict[str, float]:
    official.refcoco(folder, [xywh], size)
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
    found = _boxes(tmp_path, [64.0, 48.0, 320.0, 240.0], output)
    assert tuple(found[name] for name in ("official", "prismatic", "lmms", "vlmevalkit")) == expected


def test_exactly_half_counts_in_pixels_and_is_lost_to_rounding_in_shares(tmp_path: Path) -> None:
    found = _boxes(tmp_path, [64.0, 48.0, 320.0, 240.0], "[0.1, 0.1, 0.35, 0.6]")
    assert (found["official"], found["vlmevalkit"]) == (1, 1)
    assert (found["prismatic"], found["lmms"]) == (0, 0)


def test_references_of_two_decimals_cost_small_boxes(tmp_path: Path) -> None:
    found = _boxes(tmp_path, [100.0, 100.0, 2.0, 2.0], "[0.15625, 0.20833333333333334, 0.159375, 0.2125]")
    assert found["prismatic"] == 0
    assert found["official"] == 1


def test_a_reference_that_leaves_its_image_is_scored_with_a_warning(tmp_path: Path) -> None:
    official.refcoco(tmp_path, [[600.0, 400.0, 40.01, 80.0]])
    examples = read("refcoco", tmp_path)[:1]
    result = scored("refcoco", "prismatic", examples, ["[0.94, 0.83, 1.0, 1.0]"])
    assert result.metrics["accuracy"] == 100
    assert any("refuses" in warning for warning in result.warnings)


def test_lmms_gives_iou_thresholds_and_the_center(tmp_path: Path) -> None:
    official.refcoco(tmp_path, [[64.0, 48.0, 320.0, 240.0]])
    examples = read("refcoco", tmp_path)[:1]
    metrics = scored("refcoco", "lmms", examples, ["[0.1, 0.1, 0.6, 0.4]"]).metrics
    assert metrics["iou"] == pytest.approx(0.6)
    assert [metrics[f"accuracy_iou_{t}"] for t in (0.1, 0.3, 0.5, 0.7, 0.9)] == [100, 100, 100, 0, 0]
    assert metrics["center_accuracy"] == 100


def test_one_example_for_each_sentence_of_the_split(tmp_path: Path) -> None:
    official.refcoco(tmp_path)
    assert [example.id for example in read("refcoco", tmp_path)] == ["0", "1", "2", "3"]
    assert [example.id for example in read("refcoco", tmp_path, "testA")] == ["990"]
    with pytest.raises(InputError, match="but has testA, val"):
        read("refcoco", tmp_path, "testB")
    with pytest.raises(InputError, match="Did you mean 'val'"):
        read("refcoco", tmp_path, "vall")


def test_ocidref_needs_a_quarter_and_reads_corners(tmp_path: Path) -> None:
    official.ocidref(tmp_path, box="[0, 0, 320, 240]")
    examples = read("ocidref", tmp_path)
    clutter = [example.groups["clutter"] for example in examples]
    assert clutter == ["minimum", "minimum", "medium", "medium", "maximum", "maximum"]
    quarter = "[0, 0, 0.25, 0.25]"
    result = scored("ocidref", "prismatic", examples, [quarter] * 5 + ["[0, 0, 0.1, 0.1]"])
    assert result.metrics["accuracy/minimum"] == 100
    assert result.metrics["accuracy/maximum"] == 50
    assert result.metrics["accuracy"] == pytest.approx(500 / 6)


def test_ocidref_takes_beyond_20_are_refused(tmp_path: Path) -> None:
    official.ocidref(tmp_path, takes=(21,))
    with pytest.raises(InputError, match=r"take_id.*within 0 and 20"):
        read("ocidref", tmp_path)
