"""The launchers, by name. To add one: a module with its class, a line here, and its name in the worker contract."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from cluster.launcher import Launcher
from search_spaces.errors import InputError
from search_spaces.worker_contract import LauncherName


def _gang(interface: str | None) -> Launcher:
    from cluster.gang import Gang  # imports Ray

    return Gang(interface=interface)


def _ray_train(interface: str | None) -> Launcher:
    if os.environ.get("RAY_TRAIN_V2_ENABLED", "1").lower() not in ("1", "true"):
        law = f"must be 1 or not set for --launcher ray-train, but is {os.environ['RAY_TRAIN_V2_ENABLED']!r}"
        raise InputError(law, key="RAY_TRAIN_V2_ENABLED", way_out="Unset it, or leave --launcher out.")
    from cluster.ray_train import RayTrain  # imports Ray

    return RayTrain(interface=interface)


LAUNCHERS: Mapping[LauncherName, Callable[[str | None], Launcher]] = {"gang": _gang, "ray-train": _ray_train}
"""Name of a launcher -> what makes it, with the network interface that was chosen, or None."""
