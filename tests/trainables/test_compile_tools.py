"""Claims about trainables/compile_tools.py: it names what a machine lacks to compile a model."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from trainables import compile_tools
from trainables.compile_tools import missing_compile_tools


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder that is the only one in which commands are looked for."""
    for name in ("g++", "gcc"):
        tmp_path.joinpath(name).write_text("#!/bin/sh\n")
        tmp_path.joinpath(name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("CC", "CXX"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(compile_tools, "find_spec", lambda name: name)
    tmp_path.joinpath("include").mkdir()
    tmp_path.joinpath("include", "Python.h").touch()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / name))
    return tmp_path


def test_nothing_is_missing_where_everything_is_there(tools: Path) -> None:
    assert missing_compile_tools(uses_gpus=False) == ()
    assert missing_compile_tools(uses_gpus=True) == ()


def test_a_compiler_that_is_named_and_absent_is_missing(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "clang++-99")
    monkeypatch.setenv("CC", "clang-99")
    assert missing_compile_tools(uses_gpus=False) == ("a C++ compiler (clang++-99)",)
    assert missing_compile_tools(uses_gpus=True) == ("a C++ compiler (clang++-99)", "a C compiler (clang-99)")


def test_without_headers_and_triton_both_are_named(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools.joinpath("include", "Python.h").unlink()
    monkeypatch.setattr(compile_tools, "find_spec", lambda name: None)
    headers, triton = missing_compile_tools(uses_gpus=True)
    assert headers == f"Python's headers ({tools}/include/Python.h)"
    assert triton == "the package triton"
