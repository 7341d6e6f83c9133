"""Ask questions about scenes, with answers. Official files and training records draw from the same forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Literal

from trainables.miniature.scene import COLOURS, NAMES, SHAPES, SIGN, Scene, Thing, above, left_of

Skill = Literal["look", "count", "box", "text", "relation", "diagram"]
"""What a question asks for. Training records carry it as their tag, so that a mix can leave it out."""
Turn = tuple[str, str]

SHORT = "Answer the question using a single word or phrase."
LETTER = "Answer with the option's letter from the given choices directly."


@dataclass(frozen=True)
class SceneQuestion:
    """Question, expression or statement about one scene, with its answer."""

    text: str
    answer: str
    skill: Skill
    form: str
    """Which of a set's forms it is: question types of the official files follow from it."""
    options: tuple[str, ...] = ()
    """Of multiple choice: what is offered, in order."""
    things: tuple[Thing, ...] = ()
    """What the question is about, the thing in question first."""


@dataclass(frozen=True)
class Page:
    """Image of a set with all questions about it."""

    number: int
    scene: Scene
    questions: tuple[SceneQuestion, ...]


@dataclass(frozen=True)
class MiniSet:
    """Benchmark in miniature: how its scenes, questions and files are made.

    `number` counts the images of a set: answers that must be balanced follow it.
    """

    name: str
    compose: Callable[[Random, int], Scene]
    """Make the scene of an image from randomness and the image's number."""
    ask: Callable[[Random, Scene, int], tuple[SceneQuestion, ...]]
    """Ask about a scene, from randomness, the scene and the image's number."""
    write: Callable[[Sequence[Page], Path], None]
    """Official files and images below the set's folder."""
    turn: Callable[[SceneQuestion], Turn]
    """Prompt and answer as a model is trained on them: what Prismatic VLMs' harness asks and expects."""


def short_turn(question: SceneQuestion) -> Turn:
    return f"{question.text}\n{SHORT}", question.answer


def letter_turn(question: SceneQuestion) -> Turn:
    listed = "\n".join(f"{letter(number)}. {option}" for number, option in enumerate(question.options))
    return f"{question.text}\n{listed}\n{LETTER}", letter(question.options.index(question.answer))


def letter(number: int) -> str:
    return chr(ord("A") + number)


def yes_no(wanted: bool) -> str:
    return "yes" if wanted else "no"


def an(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def colour_of(draw: Random, scene: Scene) -> SceneQuestion | None:
    thing = _with_unique_shape(draw, scene)
    if thing is None:
        return None
    return SceneQuestion(f"What color is the {thing.shape}?", thing.colour, "look", "color", tuple(COLOURS), (thing,))


def shape_of(draw: Random, scene: Scene) -> SceneQuestion | None:
    unique = [thing for thing in scene.things if scene.only(colour=thing.colour)]
    if not unique:
        return None
    thing = draw.choice(unique)
    return SceneQuestion(f"What shape is the {thing.colour} object?", thing.shape, "look", "shape", SHAPES, (thing,))


def count_of(draw: Random, scene: Scene) -> SceneQuestion:
    """Ask for the number of things of a present shape, of a present colour, or of all things."""
    form = draw.choice(("shape", "color", "object"))
    thing = draw.choice(scene.things)
    if form == "shape":
        return count_question(f"{plural(thing.shape)} are there", len(scene.all(shape=thing.shape)))
    if form == "color":
        return count_question(f"{thing.colour} objects are there", len(scene.all(colour=thing.colour)))
    return count_question("objects are there", len(scene.things))


def count_question(of: str, count: int) -> SceneQuestion:
    return SceneQuestion(f"How many {of}?", str(count), "count", "count")


def plural(shape: str) -> str:
    return f"{shape}es" if shape.endswith("s") else f"{shape}s"


def presence(draw: Random, scene: Scene, wanted: bool) -> SceneQuestion:
    """Ask whether a thing is there.

    Args:
        draw: source of randomness.
        scene: the scene.
        wanted: whether the answer is yes.
    """
    name = draw.choice(scene.names() if wanted else absent_names(scene))
    return SceneQuestion(f"Is there {an(name)} in the image?", yes_no(wanted), "look", "presence")


def attribute(draw: Random, scene: Scene, wanted: bool) -> SceneQuestion:
    """Ask whether a thing has a colour, or for presence where no shape is there only once.

    Args:
        draw: source of randomness.
        scene: the scene.
        wanted: whether the answer is yes.
    """
    thing = _with_unique_shape(draw, scene)
    if thing is None:
        return presence(draw, scene, wanted)
    colour = thing.colour if wanted else draw.choice([c for c in COLOURS if c != thing.colour])
    return SceneQuestion(f"Is the {thing.shape} {colour}?", yes_no(wanted), "look", "attribute", (), (thing,))


def absent_names(scene: Scene) -> list[str]:
    there = set(scene.names())
    return [name for name in (f"{colour} {shape}" for colour, shape in NAMES) if name not in there]


RELATIONS: Mapping[str, Callable[[Thing, Thing], bool]] = {
    "left of": left_of,
    "right of": lambda thing, anchor: left_of(anchor, thing),
    "above": above,
    "below": lambda thing, anchor: above(anchor, thing),
}
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


def related(draw: Random, scene: Scene) -> tuple[Thing, str, Thing]:
    """Draw two things and a relation in which the first stands to the second."""
    holding = [
        (thing, relation, anchor)
        for thing, anchor in permutations(scene.things, 2)
        for relation, holds in RELATIONS.items()
        if holds(thing, anchor)
    ]
    return draw.choice(holding)


def phrase(relation: str) -> str:
    """Phrase a relation as in a sentence."""
    return f"to the {relation}" if relation.endswith(" of") else relation


def _with_unique_shape(draw: Random, scene: Scene) -> Thing | None:
    unique = [thing for thing in scene.things if thing.shape != SIGN and scene.only(shape=thing.shape)]
    return draw.choice(unique) if unique else None


def given(*questions: SceneQuestion | None) -> tuple[SceneQuestion, ...]:
    """Collect questions, without those that the scene does not allow (None)."""
    return tuple(question for question in questions if question is not None)
