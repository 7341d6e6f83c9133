"""Version of what commands print for programs."""

from __future__ import annotations

SCHEMA_VERSION = 1
"""Raised when a field of a JSON output is removed or means something else. New fields do not raise it."""
