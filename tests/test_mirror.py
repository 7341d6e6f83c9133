"""Every test file lies where the module is that it tests, so that a reader of either finds the other."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePath

ROOT = Path(__file__).parents[1]
WHOLES = {
    "tests/examples/test_results.py": "examples/results.ipynb",
    "tests/examples/test_own_vqa.py": "examples/own-vqa",
    "tests/docs/test_commands.py": "all documents, messages and outputs",
    "tests/docs/test_documents.py": "all documents",
    "tests/docs/test_items.py": "docs/items.md",
    "tests/docs/test_makefile.py": "Makefile",
    "tests/docs/test_own_data.py": "docs/own-data.md",
    "tests/docs/test_pasted_commands.py": "all documents and outputs",
    "tests/docs/test_run_commands.py": "all documents and outputs",
    "tests/orchestrator/commands/test_damaged_storage.py": "all commands about a study",
    "tests/search_spaces/prismatic/test_studies.py": "YAML and CSV files",
    "tests/test_ci_skips.py": "tests/conftest.py",
    "tests/test_docstrings.py": "all docstrings",
    "tests/test_import_law.py": "all modules",
    "tests/test_mirror.py": "all test files",
    "tests/test_wheel.py": "the wheel",
}
"""Test files of what is no module of the source, and what it is."""
BROKEN_INPUTS = "tests/broken_inputs/"
"""Its test files are about kinds of input, whichever modules read them."""
TRACKED = subprocess.run(
    ["git", "ls-files", "*.py"], capture_output=True, text=True, cwd=ROOT, check=True
).stdout.split()
TEST_FILES = [
    name
    for name in TRACKED
    if name.startswith("tests/") and PurePath(name).name.startswith("test_") and not name.startswith(BROKEN_INPUTS)
]


def mirrored(test_file: str) -> list[str]:
    """List the modules that a test file may be about: of its own name, or of its folder's."""
    path = PurePath(test_file).relative_to("tests")
    return [str(path.with_name(path.name.removeprefix("test_"))), f"{path.parent}.py"]


def test_every_test_file_mirrors_a_module() -> None:
    """Move one that does not to `tests/<folder>/test_<module>.py`, or into a folder `tests/<folder>/<module>/`."""
    misplaced = [name for name in TEST_FILES if not any((ROOT / module).is_file() for module in mirrored(name))]
    assert [name for name in misplaced if name not in WHOLES] == []


def test_files_that_mirror_no_module_are_listed_only_while_they_need_it() -> None:
    assert set(WHOLES) <= set(TEST_FILES)
    assert not [name for name in WHOLES if any((ROOT / module).is_file() for module in mirrored(name))]
