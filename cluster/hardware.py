"""Name the hardware of a cluster, as far as it decides whether work that ran there once runs there again. No Ray."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping

import psutil

_ACCELERATOR = "accelerator_type:"
"""Beginning of the resource by which Ray tells the kind of a node's accelerators."""


def hardware_kinds(nodes: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    """List the kinds of accelerators of the nodes that are alive; of a cluster without any, this machine's kind.

    Args:
        nodes: what `ray.nodes()` returns.
    """
    kinds: set[str] = set()
    for node in nodes:
        resources = node.get("Resources")
        if node.get("Alive") and isinstance(resources, Mapping) and resources.get("GPU"):
            named = {name.removeprefix(_ACCELERATOR) for name in resources if name.startswith(_ACCELERATOR)}
            kinds |= named or {"GPU"}
    memory = f"{psutil.virtual_memory().total / 2**30:.0f} GiB"
    return tuple(sorted(kinds)) or (f"{platform.machine()} with {memory}",)
