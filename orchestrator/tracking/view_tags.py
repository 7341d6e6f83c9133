"""Keep saved views in tags of an experiment, and leave alone what a person has edited."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.tracking.saved_views import View
from trainables.storage import tracked_names

DASHBOARD_VERSION = 4
"""Raised when the views of this program change: views of an older version are replaced, those of a newer one stay."""

TAG_PREFIX = "mlflow.sharedViewState."

TAG_SIZE = 20_000
"""Characters that MLflow takes as the value of an experiment's tag."""


def view_tags(wanted: Sequence[View], tags: Mapping[str, str], now_ms: int) -> tuple[dict[str, str], list[str]]:
    """Return the tags to write, and sentences about what is left alone.

    A view that is not as this program wrote it was edited, and one that is gone was deleted by somebody: both stay as
    they are. Views that a newer version wrote stay, too.

    Args:
        wanted: the views.
        tags: of the experiment, as they are.
        now_ms: milliseconds since the epoch.
    """
    written = json.loads(tags.get(tracked_names.DASHBOARD, "{}"))
    if written.get("version", 0) > DASHBOARD_VERSION:
        return {}, [f"the views are of a newer version ({written['version']}) of this program, and stay"]
    known: set[str] = set(written.get("views", ()))
    new: dict[str, str] = {}
    kept: list[str] = []
    for view in wanted:
        key = TAG_PREFIX + view.id
        stored = tags.get(key)
        if stored is None and view.id in known:
            kept.append(f"the view {view.name!r} was deleted, and stays away")
            continue
        if stored is not None and not is_as_written(stored):
            kept.append(f"the view {view.name!r} was edited, and stays as it is")
            continue
        if stored is not None and decoded(stored) == view.state:
            continue
        value = encoded(view, now_ms)
        if len(value) > TAG_SIZE:
            kept.append(f"the view {view.name!r} does not fit in a tag ({len(value)} characters)")
            continue
        new[key] = value
        known.add(view.id)
    if new:
        new[tracked_names.DASHBOARD] = json.dumps({"version": DASHBOARD_VERSION, "views": sorted(known)})
    return new, kept


def encoded(view: View, now_ms: int) -> str:
    """Write a view as the value of its tag. `now_ms`: milliseconds since the epoch."""
    packed = base64.b64encode(zlib.compress(json.dumps(view.state, separators=(",", ":")).encode(), 9)).decode()
    content = {"name": view.name, "state": f"deflate;{packed}"}
    return json.dumps({**content, "createdAt": now_ms, "updatedAt": now_ms, "ablate": _digest(**content)})


def is_as_written(value: str) -> bool:
    """Say whether a tag holds a view as this program wrote it: it carries a digest of itself."""
    try:
        content = json.loads(value)
        return bool(content["ablate"] == _digest(content["name"], content["state"]))
    except (ValueError, TypeError, KeyError):
        return False


def decoded(value: str) -> dict[str, Any]:
    """Read the state of the page from the value of a tag."""
    packed = json.loads(value)["state"].removeprefix("deflate;")
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return state


def _digest(name: str, state: str) -> str:
    return hashlib.sha256(f"{name}\n{state}".encode()).hexdigest()[:16]
