"""Find study files and read them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from search_spaces.errors import InputError, nearest
from search_spaces.overlay import merge, place_override
from search_spaces.short_forms import long_form
from search_spaces.study import Study
from search_spaces.typed import typed
from search_spaces.yaml_source import Document, read


def load_study(name_or_path: str, overrides: Sequence[str] = ()) -> Study:
    """Read a study file.

    Args:
        name_or_path: a path, or the name of a shipped study.
        overrides: ``a.b=value`` texts, placed as if they were written in the file; values are YAML.

    Raises:
        InputError: everything that is wrong with the form of the file, together.
    """
    document = _load_document(find_study(name_or_path), overrides, ())
    if not isinstance(document.value, dict):
        raise InputError("a study must be a mapping", place=name_or_path)
    study = typed(Study, document)
    study._document = document
    return study


@cache
def _shipped() -> dict[str, Path]:
    """Map names to shipped files; what lies in a folder has it in its name (``prismatic/design_space``)."""
    root = Path(str(resources.files("search_spaces")))
    files = (*root.glob("*.yaml"), *root.glob("*/*.yaml"))
    return {file.relative_to(root).with_suffix("").as_posix(): file for file in sorted(files) if _is_study(file)}


def _is_study(file: Path) -> bool:
    """Tell whether a file has a name to keep results under; files without one are what studies extend."""
    return any(line.startswith("study:") for line in file.read_text(encoding="utf-8").splitlines())


def shipped_studies() -> list[str]:
    """List the studies that come with the program."""
    return list(_shipped())


def find_study(name_or_path: str, beside: Path | None = None) -> Path:
    """Find the file of a study. Raises InputError if there is none.

    Args:
        name_or_path: a path (relative to `beside`, where given), or the name of a shipped study.
        beside: folder of the file that refers to it.
    """
    path = Path(name_or_path).expanduser()
    candidate = beside / path if beside and not path.is_absolute() else path
    if candidate.is_file():
        return candidate
    shipped = _shipped()
    if name_or_path in shipped:
        return shipped[name_or_path]
    raise InputError(
        f"STUDY must be a file, or one of {', '.join(shipped)}, but got {name_or_path!r}",
        place=str(beside) if beside else None,
        way_out=nearest(name_or_path, shipped),
    )


def _load_document(path: Path, overrides: Sequence[str], below: tuple[Path, ...]) -> Document:
    """Read a file and lay it on top of what it extends, in long form."""
    real = path.resolve()
    if real in below:
        circle = " -> ".join(file.name for file in (*below, real))
        raise InputError(f"`extends` must not lead back to a file, but: {circle}", place=str(path), key="extends")
    document = long_form(read(path))
    for override in overrides:
        document = long_form(place_override(document, override, name_maps=("axes", "arms")))
    parent = document.value.get("extends") if isinstance(document.value, dict) else None
    if not isinstance(parent, str):
        return document
    try:
        parent_path = find_study(parent, path.parent)
    except InputError as error:
        raise InputError(
            error.law.replace("STUDY", "extends"),
            place=document.origin(("extends",)),
            key="extends",
            way_out=error.way_out,
        ) from error
    return merge(_load_document(parent_path, (), (*below, real)), document)
