"""Copy a study with the files that it names, so that the copy stands alone under a name of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain, count
from pathlib import Path

import yaml

from orchestrator.first_study.folder import README
from search_spaces.study_files import STUDY_FILE, find_study
from search_spaces.yaml_source import KeyPath

_NAMES_FILE = frozenset(("deepspeed", "only"))
"""Keys whose text is the name of a file, beside the file in which it is written."""


def copied(study: str, name: str) -> dict[str, str]:
    """Copy a study under another name, with what it extends and every file that these name, into one folder.

    A file in whose place another one lies gets a name with a number, and is named by it. A shipped study that is
    extended by its name stays where it is.

    Args:
        study: a study file or its folder, or the name of a shipped study; it can be loaded.
        name: of the copy.

    Returns:
        Name of each file -> its text; `study.yaml` is the first.
    """
    copies = _Copies()
    copies.add_study(find_study(study), STUDY_FILE, name)
    return copies.files


class _Copies:
    """Copies of study files and of files that they name, for one folder."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._names: dict[Path, str] = {}

    def add_study(self, file: Path, as_name: str, study: str | None = None) -> None:
        """Copy a study file and what it names.

        Args:
            file: to copy.
            as_name: name of the copy.
            study: what the study is called in it; None to leave that as it is.
        """
        text = file.read_text(encoding="utf-8")
        self.files[as_name] = text  # the name is taken
        root = yaml.compose(text, Loader=yaml.SafeLoader)  # the C parser counts characters in another way
        if not isinstance(root, yaml.MappingNode):  # an empty file may be extended, too
            return
        scalars = list(_scalars(root))
        edits = {}
        for path, node in scalars:
            if path == ("study",) and study is not None:
                new = study
            elif (named := _named_file(path, node.value, file.parent)) is not None:
                new = self._copy_of(named, is_study=path == ("extends",))
            else:
                continue
            if new != node.value:
                start, end = node.start_mark.index, node.end_mark.index
                line_end = "\n" if text[start:end].endswith("\n") else ""  # of a block of text
                edits[start, end] = _quoted(new) + line_end
        if study is not None and ("study",) not in dict(scalars):  # it had that of what it extends
            start = root.start_mark.index + bool(root.flow_style)
            separator = ", " if root.flow_style else f"\n{' ' * root.start_mark.column}"
            edits[start, start] = f"study: {_quoted(study)}{separator}"
        self.files[as_name] = _edited(text, edits)

    def _copy_of(self, file: Path, *, is_study: bool) -> str:
        """Copy a file if it was not yet; return the name of its copy."""
        real = file.resolve()
        if real not in self._names:
            self._names[real] = name = self._free_name(file)
            if is_study:
                self.add_study(file, name)
            else:
                self.files[name] = file.read_text(encoding="utf-8")
        return self._names[real]

    def _free_name(self, file: Path) -> str:
        taken = {name.casefold() for name in (*self.files, README)}
        numbered = (f"{file.stem}-{number}{file.suffix}" for number in count(2))
        return next(name for name in chain([file.name], numbered) if name.casefold() not in taken)


def _scalars(node: yaml.Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, yaml.ScalarNode]]:
    """List the scalars of a document, with their paths."""
    if isinstance(node, yaml.ScalarNode):
        yield path, node
    elif isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            yield from _scalars(child, (*path, number))
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            yield from _scalars(child, (*path, key.value))


def _named_file(path: KeyPath, value: str, folder: Path) -> Path | None:
    """Return the file that a value of a study in a folder names; None where it names none that is copied."""
    beside = folder / Path(value).expanduser()
    if path == ("extends",):
        file = find_study(value, folder)
        return file if file in (beside, beside / STUDY_FILE) else None  # else it is a shipped one, by its name
    return beside if path[-1:] and path[-1] in _NAMES_FILE and beside.is_file() else None


def _edited(text: str, edits: Mapping[tuple[int, int], str]) -> str:
    """Replace parts of a text, each from its first character to the one after its last."""
    for (start, end), new in sorted(edits.items(), reverse=True):
        text = f"{text[:start]}{new}{text[end:]}"
    return text


def _quoted(text: str) -> str:
    """Write a text of YAML that is read as text, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)
