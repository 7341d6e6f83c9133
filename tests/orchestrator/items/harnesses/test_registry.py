"""Claims about the list of harnesses."""

from __future__ import annotations

import importlib
import pkgutil
from typing import get_args

from orchestrator.commands.import_results import HarnessOption
from orchestrator.items import harnesses
from orchestrator.items.harnesses.registry import HARNESSES, HarnessName


def test_every_name_has_a_harness_and_every_module_with_one_is_registered() -> None:
    assert set(HARNESSES) == set(get_args(HarnessName)) == set(get_args(HarnessOption))
    assert all(harness.name == name for name, harness in HARNESSES.items())
    paths = pkgutil.iter_modules(harnesses.__path__)
    modules = [importlib.import_module(f"{harnesses.__name__}.{module.name}") for module in paths]
    found = {id(module.HARNESS) for module in modules if hasattr(module, "HARNESS")}
    assert found == {id(harness) for harness in HARNESSES.values()}
