"""Scenes hold as many things as asked, and none touches another."""

from __future__ import annotations

from random import Random

from trainables.miniature.scene import several


def test_scenes_hold_as_many_things_as_asked_and_none_touches_another() -> None:
    for number in range(200):
        scene = several(Random(number), 1 + number % 8)
        boxes = [thing.box for thing in scene.things]
        assert len(set(scene.names())) == len(boxes) == 1 + number % 8
        for i, box in enumerate(boxes):
            assert all(
                box[2] < earlier[0] or earlier[2] < box[0] or box[3] < earlier[1] or earlier[3] < box[1]
                for earlier in boxes[:i]
            )
