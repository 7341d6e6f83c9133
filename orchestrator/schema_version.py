"""Name what is written for programs, and its version. Imports nothing, as every command does."""

from __future__ import annotations

from typing import Literal

SCHEMA_VERSION = 1
"""Raised when a field of a JSON output is removed or means something else. New fields do not raise it."""

OutputKind = Literal["study", "plan", "status", "report", "verdicts", "events", "items", "error"]
"""What has a schema: study files, what `--json` prints, a line of `run --events`, a row of items, an error."""
