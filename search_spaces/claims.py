"""Read hypotheses from a file of their own, for tables of scores that are no study's results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from search_spaces.catalogue.entries import BenchmarkChoice, Entry
from search_spaces.errors import InputError, Problems, nearest
from search_spaces.short_forms import long_form
from search_spaces.study import Hypothesis
from search_spaces.typed import typed
from search_spaces.yaml_source import Document, KeyPath, key_text, read

Suites = Mapping[str, Sequence[BenchmarkChoice]]
_ROWS: Mapping[Literal["table", "items"], str] = {"table": "a model of the table", "items": "an arm of the items"}
"""What pairs name, by what claims are about."""


class ColumnScale(Entry):
    """What the numbers in a column of a table of scores are."""

    scale: Annotated[float, Field(gt=0)] = 100
    """The best possible number where higher is better, the worst where lower is; 0 is the other end."""
    better: Literal["higher", "lower"] = "higher"


class RowScale(Entry):
    """What the numbers in a line of a table of scores are, on the columns that are not declared themselves."""

    scale: Annotated[float, Field(gt=0)]
    """The best possible number: 1 for fractions, 100 for points, 1000 for permille."""


class TableOfClaims(Entry):
    """What is to be known of the table that claims are about."""

    columns: dict[str, ColumnScale] = Field(default_factory=dict)
    """Column -> what its numbers are, where they are no points from 0 to 100; a column that is named here counts."""
    models: dict[str, RowScale] = Field(default_factory=dict)
    """Model -> what its numbers are, where they are in another unit than the other lines'."""


class Claims(Entry):
    """Content of a file of claims: `hypotheses`, as in a study, and what its table's columns are."""

    hypotheses: Annotated[tuple[Hypothesis, ...], Field(min_length=1)]
    table: TableOfClaims = TableOfClaims()
    seed_sd: Annotated[float, Field(gt=0)] | None = None
    """Of items: assumed standard deviation over seeds of an arm's score, in points, as in a study."""


def load_claims(path: Path) -> tuple[Claims, Document]:
    """Read a file of claims, with the document that has the place of each value.

    Raises:
        InputError: everything that is wrong with the form of the file, together.
    """
    return typed_claims(read(path), str(path))


def typed_claims(document: Document, place: str | None = None) -> tuple[Claims, Document]:
    """Read plain values as claims, with the document in its long form.

    Args:
        document: of a mapping with `hypotheses`.
        place: of the document as a whole.

    Raises:
        InputError: everything that is wrong with their form, together.
    """
    document = long_form(document)
    if not isinstance(document.value, dict):
        what = "they are a list" if isinstance(document.value, list) else "there is none"
        raise InputError(f"claims must be a mapping with `hypotheses`, but {what}", place=place)
    claims = typed(Claims, document)
    Problems(_form_problems(claims.hypotheses, document)).raise_all()
    return claims, document


def _form_problems(hypotheses: Sequence[Hypothesis], document: Document) -> Iterator[InputError]:
    """Find ids that occur twice, contrasts of a model with itself, and contrasts that occur twice in a claim."""
    counts = Counter(hypothesis.id for hypothesis in hypotheses)
    for number, hypothesis in enumerate(hypotheses):
        path: KeyPath = ("hypotheses", number)
        if counts[hypothesis.id] > 1:
            yield _problem(document, (*path, "id"), f"ids must differ, but {hypothesis.id!r} is there twice")
        for row, pair in enumerate(hypothesis.pairs):
            if pair[0] == pair[1]:
                law = f"a contrast must be of two models, but both are {pair[0]!r}"
                yield _problem(document, (*path, "pairs", row), law)
            elif any(set(pair) == set(before) for before in hypothesis.pairs[:row]):
                same = "is there twice" if pair in hypothesis.pairs[:row] else "is there the other way round as well"
                law = f"the contrasts of a claim must differ, but that of {pair[0]!r} and {pair[1]!r} {same}"
                yield _problem(document, (*path, "pairs", row), law)


def check_claims(
    hypotheses: Sequence[Hypothesis],
    document: Document,
    models: Sequence[str],
    benchmarks: Sequence[str],
    suites: Suites,
    kind: Literal["table", "items"] = "table",
) -> None:
    """Check that every model and benchmark of a file of claims is in the table that it is about.

    Args:
        hypotheses: the claims, as `load_claims` returns them.
        document: document of the file, for the place of each value.
        models: names of the table's rows.
        benchmarks: ids of the table's columns.
        suites: name -> members, of all suites that `on` may name.
        kind: what they are about: a table of models' scores, or items of arms.

    Raises:
        InputError: every name that is not there, together.
    """
    legal_benchmarks = legal_on(benchmarks, suites)
    problems = Problems()
    for number, hypothesis in enumerate(hypotheses):
        path: KeyPath = ("hypotheses", number)
        names = [
            ((*path, "pairs", row, side), name)
            for row, pair in enumerate(hypothesis.pairs)
            for side, name in enumerate(pair)
        ]
        if kind == "table" and hypothesis.looks:
            law = "must not be declared for a table of scores: it has no seeds"
            problems.add(_problem(document, (*path, "looks"), law))
        for place, name in names:
            if name not in models:
                law = f"must name {_ROWS[kind]}, but got {name!r}"
                problems.add(_problem(document, place, law, nearest(name, models)))
        for row, name in enumerate(hypothesis.on):
            if name not in legal_benchmarks:
                shown = ", ".join(legal_benchmarks[1:])
                law = f"must be all, or a benchmark or suite of the {kind} ({shown}), but got {name!r}"
                problems.add(_problem(document, (*path, "on", row), law, nearest(name, legal_benchmarks)))
    problems.raise_all()


def legal_on(benchmarks: Sequence[str], suites: Suites) -> list[str]:
    """List the names that `on` may hold: `all`, single benchmarks, and suites of which every benchmark is there."""
    whole = [name for name, members in suites.items() if all(member.id in benchmarks for member in members)]
    return ["all", *benchmarks, *whole]


def select_benchmarks(
    on: Sequence[str], benchmarks: Sequence[str], suites: Suites, everything: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Select the benchmarks that the `on` of a hypothesis names, each once, in the order of `benchmarks`.

    Args:
        on: `all`, ids of benchmarks, or names of suites.
        benchmarks: ids of all benchmarks.
        suites: name -> members.
        everything: what `all` stands for; by default all benchmarks.
    """
    selected: set[str] = set()
    for name in on:
        if name == "all":
            selected.update(benchmarks if everything is None else everything)
        elif name in benchmarks:
            selected.add(name)
        else:
            selected.update(member.id for member in suites[name])
    return tuple(name for name in benchmarks if name in selected)


def find_file(name_or_path: str, suffix: str, kind: str) -> Path:
    """Find a file, or a shipped one by its name without the suffix (``prismatic/published``).

    Args:
        name_or_path: a path, or the name of a shipped file.
        suffix: suffix of the shipped files, with its dot.
        kind: option of the command line that names the file; `hypotheses` looks for claims only.

    Raises:
        InputError: if there is no such file.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    root = Path(str(resources.files("search_spaces")))
    shipped = {file.relative_to(root).with_suffix("").as_posix(): file for file in sorted(root.glob(f"*/*{suffix}"))}
    if kind == "hypotheses":
        shipped = {name: file for name, file in shipped.items() if file.stem.endswith("claims")}
    if name_or_path in shipped:
        return shipped[name_or_path]
    law = f"must be a file, or one of {', '.join(shipped)}, but got {name_or_path!r}"
    raise InputError(law, key=f"--{kind}", way_out=nearest(name_or_path, shipped))


def _problem(document: Document, path: KeyPath, law: str, way_out: str | None = None) -> InputError:
    return InputError(law, place=document.origin(path), key=key_text(path), way_out=way_out)
