"""VSR zero-shot test: JSON Lines of statements about two things, half of them true."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from trainables.miniature.answers import write_image, write_json_lines
from trainables.miniature.question_forms import OPPOSITE, Asked, MiniSet, Page, Turn, phrase, related
from trainables.miniature.scene import Scene, several

STATEMENTS = "test.jsonl"


def compose(draw: Random, number: int) -> Scene:
    return several(draw, 2 + number % 2)


def ask(draw: Random, scene: Scene, number: int) -> tuple[Asked, ...]:
    """Two statements, a true one and a false one, the order alternating."""
    return tuple(_statement(draw, scene, wanted == (number % 2 == 0)) for wanted in (True, False))


def _statement(draw: Random, scene: Scene, wanted: bool) -> Asked:
    one, relation, other = related(draw, scene)
    said = relation if wanted else OPPOSITE[relation]
    text = f"The {one.name} is {phrase(said)} the {other.name}."
    return Asked(text, str(wanted), "relation", said, (), (one, other))


def write(pages: Sequence[Page], folder: Path) -> None:
    draw, rows = Random("vsr validators"), []
    for page in pages:
        image = f"{17_000 + 13 * page.number:012d}.jpg"
        write_image(folder / "images" / image, page.scene)
        for asked in page.asked:
            one, other = asked.things
            annotator, first, second, third = draw.sample(range(1, 30), 4)
            agree, differ = ([first, second], [third]) if draw.random() < 0.3 else ([first, second, third], [])
            is_true = asked.answer == "True"
            rows.append(
                {
                    "image": image,
                    "image_link": f"http://images.cocodataset.org/train2017/{image}",
                    "caption": asked.text,
                    "label": int(is_true),
                    "relation": asked.form,
                    "subj": one.name,
                    "obj": other.name,
                    "annotator_id": annotator,
                    "vote_true_validator_id": str(agree if is_true else differ),
                    "vote_false_validator_id": str(differ if is_true else agree),
                }
            )
    write_json_lines(folder / STATEMENTS, rows)


def _turn(asked: Asked) -> Turn:
    question = f'Based on the image, is this statement "True" or "False"? {asked.text}'
    return f'{question}\nRespond with "True" or "False" directly.', asked.answer


VSR = MiniSet("vsr", compose, ask, write, _turn)
