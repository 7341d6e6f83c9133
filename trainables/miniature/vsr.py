"""Write VSR zero-shot test: JSON Lines of statements about two things, half of them true."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from trainables.miniature.question_forms import OPPOSITE, MiniSet, Page, SceneQuestion, Turn, phrase, related
from trainables.miniature.scene import Scene, several
from trainables.miniature.written_files import write_image, write_json_lines

STATEMENTS = "test.jsonl"


def compose(draw: Random, number: int) -> Scene:
    return several(draw, 2 + number % 2)


def ask(draw: Random, scene: Scene, number: int) -> tuple[SceneQuestion, ...]:
    """Make two statements, a true one and a false one, the order alternating."""
    return tuple(_statement(draw, scene, wanted == (number % 2 == 0)) for wanted in (True, False))


def _statement(draw: Random, scene: Scene, wanted: bool) -> SceneQuestion:
    thing, relation, anchor = related(draw, scene)
    stated = relation if wanted else OPPOSITE[relation]
    text = f"The {thing.name} is {phrase(stated)} the {anchor.name}."
    return SceneQuestion(text, str(wanted), "relation", stated, (), (thing, anchor))


def write(pages: Sequence[Page], folder: Path) -> None:
    draw, rows = Random("vsr validators"), []
    for page in pages:
        image = f"{17_000 + 13 * page.number:012d}.jpg"
        write_image(folder / "images" / image, page.scene)
        for question in page.questions:
            thing, anchor = question.things
            annotator, first, second, third = draw.sample(range(1, 30), 4)
            agree, differ = ([first, second], [third]) if draw.random() < 0.3 else ([first, second, third], [])
            is_true = question.answer == "True"
            rows.append(
                {
                    "image": image,
                    "image_link": f"http://images.cocodataset.org/train2017/{image}",
                    "caption": question.text,
                    "label": int(is_true),
                    "relation": question.form,
                    "subj": thing.name,
                    "obj": anchor.name,
                    "annotator_id": annotator,
                    "vote_true_validator_id": str(agree if is_true else differ),
                    "vote_false_validator_id": str(differ if is_true else agree),
                }
            )
    write_json_lines(folder / STATEMENTS, rows)


def _turn(question: SceneQuestion) -> Turn:
    prompt = f'Based on the image, is this statement "True" or "False"? {question.text}'
    return f'{prompt}\nRespond with "True" or "False" directly.', question.answer


VSR = MiniSet("vsr", compose, ask, write, _turn)
