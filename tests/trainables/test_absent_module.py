"""Claims about trainables/absent_module.py."""

from __future__ import annotations

import importlib
import sys

import pytest

from trainables.absent_module import absent_module


def test_absent_module_is_absent_while_the_block_runs_and_importable_again_after_it() -> None:
    loaded = sys.modules.pop("this", None)
    try:
        with absent_module("json"), absent_module("this"):
            for name in ("json", "this"):
                with pytest.raises(ImportError):
                    importlib.import_module(name)
        assert "this" not in sys.modules
        assert importlib.import_module("json").loads("1") == 1
    finally:
        if loaded is not None:
            sys.modules["this"] = loaded
