"""Look for what torch needs on a machine to compile a model (`resources.compile`), without loading torch."""

from __future__ import annotations

import os
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

TOOLS_WAY_OUT = (
    "Install it (Debian: `apt install g++ python3-dev`; CXX and CC name other compilers), or leave `compile` out."
)


def missing_compile_tools(*, uses_gpus: bool) -> tuple[str, ...]:
    """Name what is missing; nothing where models can be compiled.

    Args:
        uses_gpus: whether layers compute on GPUs: kernels are Triton's there, else C++.
    """
    compiler = os.environ.get("CXX", "g++")
    tools = {
        f"a C++ compiler ({compiler})": shutil.which(compiler) is not None,
        f"Python's headers ({_header()})": _header().is_file(),
    }
    if uses_gpus:
        names = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang"]
        tools[f"a C compiler ({' or '.join(names)})"] = any(map(shutil.which, names))
        tools["the package triton"] = find_spec("triton") is not None
    return tuple(name for name, is_there in tools.items() if not is_there)


def _header() -> Path:
    return Path(sysconfig.get_path("include"), "Python.h")
