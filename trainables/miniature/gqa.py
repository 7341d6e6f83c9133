"""Write GQA test-dev balanced: one JSON object of questions by id, with programs, types, groups and entailments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

from trainables.miniature.question_forms import (
    OPPOSITE,
    RELATIONS,
    MiniSet,
    Page,
    SceneQuestion,
    absent_names,
    an,
    given,
    phrase,
    related,
    short_turn,
    yes_no,
)
from trainables.miniature.scene import WIDTH, Scene, several
from trainables.miniature.written_files import write_image, write_json

QUESTIONS = "testdev_balanced_questions.json"
_TYPES = {
    "query": {"detailed": "relO", "semantic": "rel", "structural": "query"},
    "side": {"detailed": "positionChoose", "semantic": "attr", "structural": "choose"},
    "verify": {"detailed": "existRelS", "semantic": "rel", "structural": "verify"},
    "both": {"detailed": "existAnd", "semantic": "obj", "structural": "logical"},
}
_FULL = {"query": "The object is {}.", "side": "It is on the {}.", "verify": "{}.", "both": "{}."}
_GLOBAL = {"query": "color", "side": None, "verify": None, "both": None}


def compose(draw: Random, number: int) -> Scene:
    return several(draw, 2 + number % 2)


def ask(draw: Random, scene: Scene, number: int) -> tuple[SceneQuestion, ...]:
    return given(
        _query(draw, scene),
        _side(draw, scene),
        _verify(draw, scene, number % 2 == 0),
        _both(draw, scene, number % 2 == 1),
    )


def _query(draw: Random, scene: Scene) -> SceneQuestion | None:
    """Ask for the colour of the only thing on one side of another."""
    questions = []
    for anchor in scene.things:
        for relation, holds in RELATIONS.items():
            there = [thing for thing in scene.things if thing is not anchor and holds(thing, anchor)]
            if len(there) == 1:
                text = f"What color is the object {phrase(relation)} the {anchor.name}?"
                questions.append(SceneQuestion(text, there[0].colour, "relation", "query", (), (there[0], anchor)))
    return draw.choice(questions) if questions else None


def _side(draw: Random, scene: Scene) -> SceneQuestion | None:
    """Ask on which half a thing is, where it does not reach over the middle."""
    beside = [thing for thing in scene.things if abs(thing.centre[0] - WIDTH / 2) > (thing.box[2] - thing.box[0]) / 2]
    if not beside:
        return None
    thing = draw.choice(beside)
    answer = "left" if thing.centre[0] < WIDTH / 2 else "right"
    return SceneQuestion(f"Is the {thing.name} on the left or on the right?", answer, "look", "side", (), (thing,))


def _verify(draw: Random, scene: Scene, wanted: bool) -> SceneQuestion:
    thing, relation, anchor = related(draw, scene)
    stated = relation if wanted else OPPOSITE[relation]
    text = f"Is there {an(thing.name)} {phrase(stated)} the {anchor.name}?"
    return SceneQuestion(text, yes_no(wanted), "relation", "verify", (), (thing, anchor))


def _both(draw: Random, scene: Scene, wanted: bool) -> SceneQuestion:
    """Ask whether two things are there; in a question to deny, one of them is."""
    present, second = draw.choice(list(permutations(scene.names(), 2)))
    partner = second if wanted else draw.choice(absent_names(scene))
    pair = [present, partner] if draw.random() < 0.5 else [partner, present]
    return SceneQuestion(f"Are there both {an(pair[0])} and {an(pair[1])}?", yes_no(wanted), "look", "both")


def write(pages: Sequence[Page], folder: Path) -> None:
    questions = {}
    for page in pages:
        image_id = f"n{300_000 + 11 * page.number}"
        write_image(folder / "images" / f"{image_id}.jpg", page.scene)
        ids = [str(201_000_000 + 100 * page.number + position) for position in range(len(page.questions))]
        for key, question in zip(ids, page.questions, strict=True):
            questions[key] = _question(key, question, image_id)
    write_json(folder / QUESTIONS, questions)


def _question(key: str, question: SceneQuestion, image_id: str) -> dict[str, Any]:
    program = _program(question)
    steps = "->".join(f"{step['operation']}: {step['argument']}" for step in program)
    return {
        "semantic": program,
        "entailed": [],  # of the balanced set the official file entails questions of the full one, which is not here
        "equivalent": [key],
        "question": question.text,
        "imageId": image_id,
        "isBalanced": True,
        "groups": {"global": _GLOBAL[question.form], "local": f"{question.skill}-{question.form}"},
        "answer": question.answer,
        "semanticStr": steps,
        "annotations": {"answer": {}, "question": {}, "fullAnswer": {}},
        "types": _TYPES[question.form],
        "fullAnswer": _FULL[question.form].format(
            question.answer.capitalize() if _is_yes_no(question) else question.answer
        ),
    }


def _is_yes_no(question: SceneQuestion) -> bool:
    return question.answer in ("yes", "no")


def _program(question: SceneQuestion) -> list[dict[str, Any]]:
    """Write the steps of a functional program, each with the numbers of the steps that it builds on."""
    last = {"query": "query", "side": "choose position", "verify": "exist", "both": "and"}[question.form]
    names = [thing.name for thing in question.things] or ["scene"]
    selects = [{"operation": "select", "dependencies": [], "argument": name} for name in names]
    argument = {"query": "color", "side": "left|right", "verify": "?", "both": ""}[question.form]
    return [*selects, {"operation": last, "dependencies": list(range(len(selects))), "argument": argument}]


GQA = MiniSet("gqa", compose, ask, write, short_turn)
