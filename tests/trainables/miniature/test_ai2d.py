"""The drawn AI2D has the published format, and its right options are those of the pixels."""

from __future__ import annotations

import re
from collections import Counter

from tests.support.file_forms import opens
from tests.support.seen_pixels import pixels_of
from tests.support.small_miniature import of, read_json
from trainables.miniature.generate import SETS, Size, pages
from trainables.miniature.scene import COLOURS


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


def test_right_options_of_diagrams_are_those_of_the_pixels() -> None:
    for file in (of("ai2d") / "questions").iterdir():
        content = read_json(file)
        image = pixels_of(of("ai2d") / "images" / content["imageName"])
        page = pages(SETS["ai2d"], Size())[int(content["imageName"].split(".")[0]) - 100]
        for thing in page.scene.things:  # the letter is written over its middle
            left, top, right, bottom = thing.box
            corner = (top + bottom) // 2 + 6, (left + right) // 2
            assert tuple(image[corner[0] + 6, corner[1]]) == COLOURS[thing.colour]
        shapes = {thing.text: thing for thing in page.scene.things}
        follows = {page.scene.things[start].shape: page.scene.things[end].shape for start, end in page.scene.arrows}
        for text, question in content["questions"].items():
            right = question["answerTexts"][question["correctAnswer"]]
            if match := re.fullmatch(r"What does the arrow from the (\w+) point to\?", text):
                assert right == follows[match[1]]
            elif match := re.fullmatch(r"Which label marks the (\w+)\?", text):
                assert shapes[right].shape == match[1]
            elif match := re.fullmatch(r"What shape is labeled (\w)\?", text):
                assert shapes[match[1]].shape == right
            else:
                (shape,) = re.findall(r"What color is the (\w+)\?", text)
                assert [t.colour for t in page.scene.things if t.shape == shape] == [right]


def test_no_letter_is_the_right_one_much_more_often() -> None:
    correct = Counter(
        question["correctAnswer"]
        for file in (of("ai2d") / "questions").iterdir()
        for question in read_json(file)["questions"].values()
    )
    assert max(correct.values()) < 0.35 * sum(correct.values())
