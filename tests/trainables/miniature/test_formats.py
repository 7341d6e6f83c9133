"""Every file against its published format, field for field, by readers of our own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.small_miniature import folder, of, read_json, read_json_lines, read_pickle
from trainables.miniature.scene import HEIGHT, WIDTH


def kinds(records: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Collect field -> type, which must be the same for all records."""
    (form,) = {json.dumps({key: type(value).__name__ for key, value in record.items()}) for record in records}
    return json.loads(form)  # type: ignore[no-any-return]


def opens(path: Path, file_type: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == (file_type, "RGB", size)


def test_vqav2_has_questions_and_annotations_apart_with_ten_numbered_answers() -> None:
    questions = read_json(of("vqav2") / "v2_OpenEnded_mscoco_val2014_questions.json")
    annotations = read_json(of("vqav2") / "v2_mscoco_val2014_annotations.json")
    assert set(questions) == {"info", "task_type", "data_type", "data_subtype", "license", "questions"}
    assert set(annotations) == {"info", "data_type", "data_subtype", "license", "annotations"}
    assert (questions["task_type"], questions["data_type"], questions["data_subtype"]) == (
        "Open-Ended", "mscoco", "val2014",
    )  # fmt: skip
    assert kinds(questions["questions"]) == {"image_id": "int", "question_id": "int", "question": "str"}
    rows = annotations["annotations"]
    assert kinds(rows) == {
        "image_id": "int", "question_id": "int", "question_type": "str", "answer_type": "str",
        "multiple_choice_answer": "str", "answers": "list",
    }  # fmt: skip
    assert [row["question_id"] for row in rows] == [row["question_id"] for row in questions["questions"]]
    assert len({row["question_id"] for row in rows}) == len(rows)
    assert {row["answer_type"] for row in rows} == {"yes/no", "number", "other"}
    for row in rows:
        assert kinds(row["answers"]) == {"answer": "str", "answer_confidence": "str", "answer_id": "int"}
        assert [answer["answer_id"] for answer in row["answers"]] == list(range(1, 11))
        assert {answer["answer_confidence"] for answer in row["answers"]} <= {"yes", "maybe", "no"}
        opens(of("vqav2") / "images" / f"COCO_val2014_{row['image_id']:012d}.jpg", "JPEG")


def test_gqa_is_an_object_of_questions_with_programs_types_and_groups() -> None:
    questions = read_json(of("gqa") / "testdev_balanced_questions.json")
    assert all(key.isdigit() for key in questions)
    for key, question in questions.items():
        assert set(question) == {
            "semantic", "entailed", "equivalent", "question", "imageId", "isBalanced", "groups", "answer",
            "semanticStr", "annotations", "types", "fullAnswer",
        }  # fmt: skip
        assert kinds(question["semantic"]) == {"operation": "str", "dependencies": "list", "argument": "str"}
        assert all(d < i for i, step in enumerate(question["semantic"]) for d in step["dependencies"])
        assert question["isBalanced"] is True
        assert question["equivalent"] == [key]
        assert set(question["groups"]) == {"global", "local"}
        assert set(question["types"]) == {"detailed", "semantic", "structural"}
        assert set(question["annotations"]) == {"answer", "question", "fullAnswer"}
        opens(of("gqa") / "images" / f"{question['imageId']}.jpg", "JPEG")
    assert {question["types"]["structural"] for question in questions.values()} == {
        "query", "verify", "choose", "logical",
    }  # fmt: skip
    assert any(question["groups"]["global"] for question in questions.values()), (
        "or the official scorer divides by zero"
    )


def test_vizwiz_is_a_list_with_ten_answers_and_whether_there_is_one() -> None:
    rows = read_json(of("vizwiz") / "val.json")
    assert kinds(rows) == {
        "image": "str", "question": "str", "answers": "list", "answer_type": "str", "answerable": "int",
    }  # fmt: skip
    assert [row["image"] for row in rows] == [f"VizWiz_val_{number:08d}.jpg" for number in range(len(rows))]
    for row in rows:
        assert kinds(row["answers"]) == {"answer": "str", "answer_confidence": "str"}
        assert len(row["answers"]) == 10
        assert row["answerable"] == (row["answer_type"] != "unanswerable")
        opens(of("vizwiz") / "images" / row["image"], "JPEG")
    assert {row["answerable"] for row in rows} == {0, 1}


def test_textvqa_has_annotations_and_both_forms_of_ocr_in_one_order() -> None:
    annotations = read_json(of("textvqa") / "TextVQA_0.5.1_val.json")
    assert {key: annotations[key] for key in annotations if key != "data"} == {
        "dataset_type": "val", "dataset_name": "textvqa", "dataset_version": "0.5.1",
    }  # fmt: skip
    rows = annotations["data"]
    assert kinds(rows) == {
        "question": "str", "image_id": "str", "image_classes": "list", "flickr_original_url": "str",
        "flickr_300k_url": "str", "image_width": "int", "image_height": "int", "answers": "list",
        "question_tokens": "list", "question_id": "int", "set_name": "str",
    }  # fmt: skip
    assert all(len(row["answers"]) == 10 for row in rows)
    assert len({row["question_id"] for row in rows}) == len(rows)
    llava = read_json_lines(of("textvqa") / "llava_textvqa_val_v051_ocr.jsonl")
    assert kinds(llava) == {"question_id": "str", "image": "str", "text": "str", "category": "str"}
    rosetta = {row["image_id"]: row for row in read_json(of("textvqa") / "TextVQA_Rosetta_OCR_v0.2_val.json")["data"]}
    assert kinds(rosetta.values()) == {"image_id": "str", "ocr_tokens": "list", "ocr_info": "list"}
    for row, llava_row in zip(rows, llava, strict=True):
        question, ocr, instruction = llava_row["text"].split("\n")
        assert (question, llava_row["question_id"]) == (row["question"], row["image_id"])
        assert ocr == f"Reference OCR token: {', '.join(rosetta[row['image_id']]['ocr_tokens'])}"
        assert instruction == "Answer the question using a single word or phrase."
        assert [info["word"] for info in rosetta[row["image_id"]]["ocr_info"]] == rosetta[row["image_id"]]["ocr_tokens"]
        opens(of("textvqa") / "images" / llava_row["image"], "JPEG", (row["image_width"], row["image_height"]))


@pytest.mark.parametrize(
    ("name", "file", "splits"),
    [
        ("refcoco", "refs(unc).p", {"val", "testA", "testB"}),
        ("refcoco+", "refs(unc).p", {"val", "testA", "testB"}),
        ("refcocog", "refs(umd).p", {"val", "test"}),
    ],
)
def test_refer_sets_are_a_pickle_of_references_and_coco_instances(name: str, file: str, splits: set[str]) -> None:
    refs, instances = read_pickle(of(name) / file), read_json(of(name) / "instances.json")
    assert kinds(refs) == {
        "ref_id": "int", "ann_id": "int", "category_id": "int", "file_name": "str", "image_id": "int", "split": "str",
        "sent_ids": "list", "sentences": "list",
    }  # fmt: skip
    assert {ref["split"] for ref in refs} == splits
    assert {"images", "annotations", "categories"} <= set(instances)
    images = {image["id"]: image for image in instances["images"]}
    annotations = {annotation["id"]: annotation for annotation in instances["annotations"]}
    assert {"id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd"} == set(
        kinds(annotations.values())
    )
    sentences = [sentence for ref in refs for sentence in ref["sentences"]]
    assert kinds(sentences) == {"tokens": "list", "raw": "str", "sent_id": "int", "sent": "str"}
    assert [sentence["sent_id"] for sentence in sentences] == [sent for ref in refs for sent in ref["sent_ids"]]
    assert len({sentence["sent_id"] for sentence in sentences}) == len(sentences)
    for ref in refs:
        annotation, image = annotations[ref["ann_id"]], images[ref["image_id"]]
        assert annotation["image_id"] == ref["image_id"]
        assert annotation["category_id"] == ref["category_id"]
        assert ref["file_name"].startswith(f"COCO_train2014_{ref['image_id']:012d}_")
        opens(of(name) / "images" / image["file_name"], "JPEG", (image["width"], image["height"]))


def test_ocidref_boxes_are_json_strings_of_corners_and_its_images_640_by_480() -> None:
    expressions = read_json(of("ocidref") / "val_expressions.json")
    for key, row in expressions.items():
        assert key.isdigit()
        assert {name: type(value).__name__ for name, value in row.items()} == {
            "seq_id": "str", "scene_id": "str", "take_id": "int", "scene_path": "str", "sequence_path": "str",
            "sub_dataset": "str", "instance_id": "int", "scene_instance_id": "int", "class": "str",
            "class_instance": "str", "sentence": "str", "tokens": "list", "bbox": "str", "sentence_type": "str",
        }  # fmt: skip
        left, top, right, bottom = json.loads(row["bbox"])
        assert 0 <= left < right <= 640
        assert 0 <= top < bottom <= 480
        assert row["scene_path"].startswith(row["sequence_path"])
        opens(of("ocidref") / "images" / row["scene_path"], "PNG", (640, 480))
    takes = {row["take_id"] for row in expressions.values()}
    assert takes == set(range(21)), "so that all three degrees of clutter occur"


def test_vsr_is_json_lines_whose_votes_are_strings() -> None:
    rows = read_json_lines(of("vsr") / "test.jsonl")
    assert kinds(rows) == {
        "image": "str", "image_link": "str", "caption": "str", "label": "int", "relation": "str", "subj": "str",
        "obj": "str", "annotator_id": "int", "vote_true_validator_id": "str", "vote_false_validator_id": "str",
    }  # fmt: skip
    for row in rows:
        votes = [json.loads(row[f"vote_{kind}_validator_id"]) for kind in ("false", "true")]
        assert len(votes[row["label"]]) > len(votes[1 - row["label"]])
        opens(of("vsr") / "images" / row["image"], "JPEG")


@pytest.mark.parametrize("split", ["random", "popular", "adversarial"])
def test_pope_files_are_json_lines_numbered_from_one(split: str) -> None:
    rows = read_json_lines(of("pope") / f"coco_pope_{split}.json")
    assert kinds(rows) == {"question_id": "int", "image": "str", "text": "str", "label": "str"}
    assert [row["question_id"] for row in rows] == list(range(1, len(rows) + 1))
    assert {row["label"] for row in rows} == {"yes", "no"}
    assert len({(row["image"], row["text"]) for row in rows}) == len(rows)
    for row in rows:
        opens(of("pope") / "images" / row["image"], "JPEG")


def test_tallyqa_has_simple_complex_and_dropped_questions() -> None:
    rows = read_json(of("tallyqa") / "test.json")
    assert kinds(rows) == {
        "answer": "int", "data_source": "str", "image": "str", "image_id": "int", "issimple": "bool",
        "question": "str", "question_id": "int",
    }  # fmt: skip
    assert {(row["data_source"], row["issimple"]) for row in rows} == {
        ("amt", False), ("imported_vqa", True), ("imported_genome", True),
        ("imported_vqa", False), ("imported_genome", False),
    }  # fmt: skip
    for row in rows:
        opens(of("tallyqa") / "images" / row["image"], "JPEG")


def test_ai2d_has_one_file_per_diagram_and_ids_of_its_test_set() -> None:
    files = sorted((of("ai2d") / "questions").iterdir())
    ids = (of("ai2d") / "ai2d_test_ids.csv").read_text().split()
    names = [read_json(file)["imageName"] for file in files]
    assert [f"{name}.json" for name in names] == [file.name for file in files]
    assert 0 < len(ids) < len(files)
    assert {f"{number}.png" for number in ids} < set(names)
    for file in files:
        content = read_json(file)
        assert set(content) == {"imageName", "questions"}
        for number, question in enumerate(content["questions"].values()):
            assert set(question) == {"abcLabel", "answerTexts", "correctAnswer", "questionId"}
            assert question["questionId"] == f"{content['imageName']}-{number}"
            assert len(question["answerTexts"]) == len(set(question["answerTexts"])) == 4
            assert question["correctAnswer"] in range(4)
        opens(of("ai2d") / "images" / content["imageName"], "PNG")


def test_training_records_are_llava_s_with_a_skill_as_their_tag() -> None:
    records = read_json(folder() / "mini-train.json")
    skills = {"look", "count", "box", "text", "relation", "diagram", "caption"}
    assert {tag for record in records for tag in record.get("tags", ())} == skills
    assert len({record["id"] for record in records}) == len(records)
    for record in records:
        assert ("image" in record) == ("tags" in record)
        turns = record["conversations"]
        assert [turn["from"] for turn in turns] == ["human", "gpt"] * (len(turns) // 2)
        assert all(turn["value"] for turn in turns)
        placeholders = [turn["value"].count("<image>") for turn in turns]
        assert placeholders == [int("image" in record)] + [0] * (len(turns) - 1)
        if "image" in record:
            assert (folder() / "train" / record["image"]).exists()


def test_open_prompts_come_with_the_objects_of_their_image() -> None:
    content = read_json(folder() / "qualitative" / "prompts.json")
    assert set(content) == {"version", "vocabulary", "samples"}
    assert len(content["samples"]) == 12
    for sample in content["samples"]:
        assert set(sample) == {"id", "image", "prompt", "objects"}
        assert {entry["name"] for entry in sample["objects"]} <= set(content["vocabulary"])
        opens(folder() / "qualitative" / "images" / sample["image"], "PNG")
