"""The program that takes screenshots for the documentation, loaded from its file."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tests.support.command_line import ROOT


def load_screenshot() -> ModuleType:
    """Load `docs/screenshot.py`, which is in no package."""
    path = ROOT / "docs" / "screenshot.py"
    spec = importlib.util.spec_from_file_location("screenshot", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["screenshot"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


screenshot = load_screenshot()
