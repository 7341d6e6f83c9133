"""Write open prompts about drawn scenes, and what is in them, for samples of text that no benchmark scores.

`prompts.json` holds `vocabulary` (every name that a thing can have) and `samples`, each with `id`, `image` (a file of
the folder `images`), `prompt` and `objects` (`name`, `color`, `shape` and `box` in px). A name of the vocabulary that
an answer mentions and that is not among the sample's objects is unsupported.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from trainables.miniature.question_forms import an, phrase, related
from trainables.miniature.scene import NAMES, Scene, several
from trainables.miniature.written_files import write_image, write_json

PROMPTS = "prompts.json"
PROMPT = "Describe the image."
SAMPLES = 12


def compose(draw: Random, number: int) -> Scene:
    return several(draw, 1 + number % 4)


def description(draw: Random, scene: Scene) -> str:
    """Describe every thing by its name, and the relation of two of them."""
    names = [an(name) for name in scene.names()]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    text = f"There is {listed}."
    if len(names) == 1:
        return text
    thing, relation, anchor = related(draw, scene)
    return f"{text} The {thing.name} is {phrase(relation)} the {anchor.name}."


def write_samples(scenes: Sequence[Scene], folder: Path) -> None:
    samples = []
    for number, scene in enumerate(scenes):
        image = f"{number:02d}.png"
        write_image(folder / "images" / image, scene)
        objects = [
            {"name": thing.name, "color": thing.colour, "shape": thing.shape, "box": list(scene.box(thing))}
            for thing in scene.things
        ]
        samples.append({"id": f"{number:02d}", "image": image, "prompt": PROMPT, "objects": objects})
    vocabulary = [f"{colour} {shape}" for colour, shape in NAMES]
    write_json(folder / PROMPTS, {"version": 1, "vocabulary": vocabulary, "samples": samples})
