"""The harnesses whose results become items. Adding one: a module with a `HARNESS`, and its name and line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from orchestrator.items.harnesses import lmms_eval, plain, vlmevalkit
from orchestrator.items.harnesses.contract import Harness

HarnessName = Literal["lmms-eval", "vlmevalkit", "jsonl"]

HARNESSES: Mapping[HarnessName, Harness] = {
    "lmms-eval": lmms_eval.HARNESS,
    "vlmevalkit": vlmevalkit.HARNESS,
    "jsonl": plain.HARNESS,
}
