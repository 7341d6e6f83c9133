"""First lines of docstrings are verb and object: none begins as a fragment does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("search_spaces", "cluster", "trainables", "orchestrator", "measurements", "docs")

NO_VERB = """
    a an the this that these those it its each every all both either neither other another same such one two several
    some any no none nothing something anything everything everybody somebody nobody whoever whatever
    of for from in on at by with without within before after behind below above between to into until since during
    under over as like than and or but if so because unless while where when
    what which who whom whose why how whether
    raises true false only also here there not never always
"""
"""Words that fragments begin with."""


def _is_property(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether a function is read like a field, which a noun describes."""
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def _fragments(file: Path) -> list[str]:
    """List the functions of a file whose docstring does not begin with a verb."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_property(node):
            continue
        first_line = (ast.get_docstring(node) or "Do.").splitlines()[0]
        first_word = first_line.split()[0].strip("`*:,.()'\"").lower()
        if first_word in NO_VERB.split() or not first_word.replace("-", "").isalpha():
            found.append(f"{file.relative_to(ROOT)}:{node.lineno} {node.name}: {first_line}")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_of_functions_begin_with_a_verb(package: str) -> None:
    assert [line for file in sorted((ROOT / package).rglob("*.py")) for line in _fragments(file)] == []
