"""Scenes hold as many things as asked, and none touches another."""

from __future__ import annotations

from random import Random

from trainables.miniature.scene import several


def test_scenes_hold_as_many_things_as_asked_and_none_touches_another() -> None:
    for number in range(200):
        scene = several(Random(number), 1 + number % 8)
        boxes = [thing.box for thing in scene.things]
        assert len(set(scene.names())) == len(boxes) == 1 + number % 8
        for i, one in enumerate(boxes):
            assert all(
                one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1] for other in boxes[:i]
            )
