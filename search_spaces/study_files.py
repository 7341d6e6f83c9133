"""Find study files and read them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from search_spaces.catalogue.load import shipped_document
from search_spaces.errors import InputError, Problems, nearest
from search_spaces.form_hints import explained, number_problems, template_problems
from search_spaces.inheritance import with_inherited
from search_spaces.overlay import place_override
from search_spaces.settings_files import with_settings
from search_spaces.study import Study
from search_spaces.study_layers import StudyLayers, at_the_cause
from search_spaces.suggestions import legal_suggestions
from search_spaces.typed import typed
from search_spaces.yaml_source import Document, read

_MAY_EXTEND = {"languages": "languages", "backbones": "encoders"}
"""Entries of a study that may extend others -> file of the catalogue that has such."""

STUDY_FILE = "study.yaml"
"""Name of the study in a folder that stands for it."""

MOST_TRIED = 40
"""Forms of a study that are tried to explain an error in its form."""


def load_study(name_or_path: str, overrides: Sequence[str] = ()) -> Study:
    """Read a study file.

    Args:
        name_or_path: a path, or the name of a shipped study.
        overrides: ``a.b=value`` texts, placed as if they were written in the file; values are YAML.

    Raises:
        InputError: everything that is wrong with the form of the file, together.
    """
    layers = _load_layers(find_study(name_or_path), tuple(overrides), ())
    try:
        return study_of(layers)
    except InputError as error:
        raise at_the_cause(error, layers, study_form, MOST_TRIED) from error


def study_of(layers: StudyLayers) -> Study:
    """Read a study from what it is made of. Raises InputError with everything that is wrong with its form."""
    document = layers.document()
    try:
        document = _with_entries(document)
        study = study_form(document)
    except InputError as error:
        raise legal_suggestions(error, document, study_form, MOST_TRIED) from error
    study._document, study._layers = document, layers
    return study


def _kind(value: object) -> str:
    return "empty" if value is None else "a list" if isinstance(value, list) else "one text or number"


def study_form(document: Document) -> Study:
    """Read a document as a study. Raises InputError with everything that is wrong with its form, together."""
    if not isinstance(document.value, dict):
        raise InputError(f"a study must be a mapping, but is {_kind(document.value)}", place=document.origin(()))
    document = _with_entries(document)
    problems = Problems([*template_problems(document), *number_problems(document)])
    study = problems.attempt(lambda: _typed_study(document))
    problems.raise_all()
    assert study is not None
    return study


def _typed_study(document: Document) -> Study:
    try:
        return typed(Study, document)
    except InputError as error:
        raise explained(error, document) from error


def _with_entries(document: Document) -> Document:
    """Lay entries on those that they extend, and read files of settings. Raises InputError."""
    for key, catalogue in _MAY_EXTEND.items():
        document = with_inherited(document, (key,), shipped_document(catalogue))
    return with_settings(document)


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
        name_or_path: a path (relative to `beside`, where given) of a file or of a folder with a `study.yaml`, or the
            name of a shipped study.
        beside: folder of the file that refers to it.
    """
    path = Path(name_or_path).expanduser()
    candidate = beside / path if beside and not path.is_absolute() else path
    for file in (candidate, candidate / STUDY_FILE):
        if file.is_file():
            return file
    shipped = _shipped()
    if name_or_path in shipped:
        return shipped[name_or_path]
    what = f"there is no file {name_or_path!r}"
    if name_or_path and candidate.exists():
        is_folder = candidate.is_dir()
        what = f"{name_or_path!r} is {f'a folder without {STUDY_FILE}' if is_folder else 'no file'}"
    raise InputError(
        f"STUDY must be a file, or one of {', '.join(shipped)}, but {what}",
        place=str(beside) if beside else None,
        way_out=nearest(name_or_path, shipped),
    )


def _load_layers(path: Path, overrides: tuple[str, ...], below: tuple[Path, ...]) -> StudyLayers:
    """Read a file and what it extends."""
    real = path.resolve()
    if real in below:
        circle = " -> ".join(file.name for file in (*below, real))
        raise InputError(f"`extends` must not lead back to a file, but: {circle}", place=str(path), key="extends")
    document = read(path)
    for override in overrides:
        if override.partition("=")[0].strip() == "extends":
            document = place_override(document, override)
    parent = document.value.get("extends") if isinstance(document.value, dict) else None
    if not isinstance(parent, str):
        return StudyLayers(None, document, overrides)
    try:
        parent_path = find_study(parent, path.parent)
    except InputError as error:
        raise InputError(
            error.law.replace("STUDY", "extends"),
            place=document.origin(("extends",)),
            key="extends",
            way_out=error.way_out,
        ) from error
    return StudyLayers(_load_layers(parent_path, (), (*below, real)).document(), document, overrides)
