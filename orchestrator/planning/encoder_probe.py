"""Facts of encoders that are in no catalogue: timm is asked once, in a process of its own; storage remembers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from typing import Any

from cluster.connect import package_folder
from search_spaces.catalogue.entries import EncoderEntry
from search_spaces.errors import InputError
from search_spaces.expansion.resolve_vision import NoEncoder
from trainables.storage import layout
from trainables.storage.store import LocalStore, get_json, put_json

_PROGRAM = "trainables.model.probe_encoder"
_TIMEOUT_S = 600


class StoredProbe:
    """A `search_spaces.expansion.resolve_vision.EncoderProbe` over one storage."""

    def __init__(self, store: LocalStore):
        self._store = store
        self._asked: dict[str, EncoderEntry | NoEncoder] = {}

    def __call__(self, name: str) -> EncoderEntry | NoEncoder:
        if name not in self._asked:
            self._asked[name] = self._remembered(name) or self._ask(name)
        return self._asked[name]

    def _remembered(self, name: str) -> EncoderEntry | None:
        known = (get_json(self._store, layout.ENCODERS) or {}).get(_remembered_name(name))
        return None if known is None else _entry(known)

    def _ask(self, name: str) -> EncoderEntry | NoEncoder:
        answer = _run(name)
        if "entry" not in answer:
            return NoEncoder(answer["law"], tuple(answer["near"]))
        known = get_json(self._store, layout.ENCODERS) or {}
        put_json(self._store, layout.ENCODERS, {**known, _remembered_name(name): answer["entry"]})
        return _entry(answer["entry"])


def _remembered_name(name: str) -> str:
    """With the version of timm, whose next one may know better."""
    return f"{name}@timm-{metadata.version('timm')}"


def _entry(fields: dict[str, Any]) -> EncoderEntry:
    return EncoderEntry.model_validate(fields)


def _run(name: str) -> dict[str, Any]:
    paths = os.pathsep.join(filter(None, (str(package_folder("trainables").parent), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", _PROGRAM, name],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        env={**os.environ, "PYTHONPATH": paths},
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise InputError(
            f"timm must be able to describe {name!r}, but it failed: {last}",
            key="vision.backbone",
            way_out="Describe the encoder under `backbones` instead.",
        )
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]
