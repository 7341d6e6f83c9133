"""Training records of the miniature have the LLaVA format, and ask nothing that is tested."""

from __future__ import annotations

from tests.support.small_miniature import NAMES, SMALL, folder, read_json
from trainables.miniature.generate import SETS, Size, pages, samples, training


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


def test_no_scene_of_a_test_set_is_trained_on() -> None:
    shown = {page.scene.things for of in SETS.values() for page in pages(of, SMALL)}
    shown |= {scene.things for scene in samples(SMALL)}
    trained = {lesson.scene.things for lesson in training(SMALL) if lesson.scene is not None}
    assert trained
    assert not shown & trained


def test_training_asks_in_the_words_of_the_test_sets() -> None:
    taught = {word for lesson in training(Size()) for turn in lesson.turns for text in turn for word in text.split()}
    for name in NAMES:
        turns = [SETS[name].turn(question) for page in pages(SETS[name], SMALL) for question in page.questions]
        tested = {word for prompt, answer in turns for word in f"{prompt} {answer}".split() if "[" not in answer}
        unread = {word for word in tested if word.isupper() and len(word) < 4}  # misread by the OCR of the test set
        assert tested - taught <= unread
