"""The launchers, by name. To add one: a module with its class, and a name and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from cluster.launcher import Launcher

LauncherName = Literal["gang"]


def _gang(interface: str | None) -> Launcher:
    from cluster.gang import Gang  # imports Ray

    return Gang(interface=interface)


LAUNCHERS: Mapping[LauncherName, Callable[[str | None], Launcher]] = {"gang": _gang}
"""Name of a launcher -> what makes it, with the network interface that was chosen, or None."""
