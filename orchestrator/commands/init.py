"""`ablate init`: a first study, of somebody's own data or like one that comes with the program."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.commands.options import JsonOption, StorageOption, console, open_store, print_json
from orchestrator.own_command import own_command
from orchestrator.settings import USUAL_STORAGE, chosen_root, data_root
from search_spaces.errors import InputError
from search_spaces.families import FAMILY_PROTOCOL, Family
from search_spaces.one_line import one_line
from search_spaces.quantities import number_of

if TYPE_CHECKING:
    from orchestrator.first_study.own_data import OwnData
    from orchestrator.first_study.words import Words
    from orchestrator.planning.planned import PlanOptions
    from search_spaces.expansion.expand import Expansion

_SHOWN_WORDS = 8


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to; empty, or not there yet.")],
    train: Annotated[
        Path | None,
        typer.Option("--train", metavar="FILE", help="Conversations about images: JSON, JSON Lines, Parquet."),
    ] = None,
    test: Annotated[
        Path | None, typer.Option("--test", metavar="FILE", help="Questions with right answers: JSON Lines, or a list.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Where image paths start, not of Parquet (default: beside each file, or images/).",
        ),
    ] = None,
    family: Annotated[
        Family | None, typer.Option("--family", help="How answers are scored (default: by the fields).")
    ] = None,
    like: Annotated[
        str | None, typer.Option("--like", metavar="STUDY", help="Copy this study instead: a file, or a shipped one.")
    ] = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a study to begin with: two arms on your own data, or a copy of a study that comes with the program.

    Every record and image is read as a run reads it, and what was found is said. Every line of the study is explained.
    """
    from orchestrator.first_study.folder import require_new
    from orchestrator.planning.planned import PlanOptions

    require_new(folder)
    root = chosen_root(storage)
    options = PlanOptions(storage=root, data=data_root(None, root))
    own = {"--train": train, "--test": test, "--images": images, "--family": family}
    given = [flag for flag, value in own.items() if value is not None]
    if like is not None:
        if given:
            raise InputError(f"must be given without {', '.join(given)}", key="--like")
        _init_like(folder, like, options, as_json)
    elif train is None or test is None:
        absent = [flag for flag in ("--train", "--test") if own[flag] is None]
        law = f"must be given, but {' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} missing"
        way_out = "Or copy a study: `ablate init FOLDER --like quickstart`."
        raise InputError(law, key="--train, --test", way_out=way_out)
    else:
        _init_own(folder, train, test, images, family, options, as_json)


def _init_like(folder: Path, like: str, options: PlanOptions, as_json: bool) -> None:
    from orchestrator.first_study.copied import copied
    from orchestrator.first_study.folder import README, expanded_copy, study_name, write_folder
    from orchestrator.first_study.readme import readme_text
    from orchestrator.planning.planned import expand
    from search_spaces.study_files import find_study, load_study

    name = study_name(folder, open_store(options.storage))
    try:
        find_study(like)
    except InputError as error:
        raise InputError(error.law.removeprefix("STUDY "), key="--like", way_out=error.way_out) from error
    original = expand(load_study(like), options, remembers=False)  # what is wrong is told with its own place
    files = copied(like, name)
    expansion = expanded_copy(files, options)
    arms = len(original.trials)
    assert (expansion.study.study, len(expansion.trials)) == (name, arms), "the copy is the original by another name"
    write_folder(folder, {**files, README: readme_text(name, folder, None)})
    if as_json:
        print_json({"study": name, "folder": str(folder.absolute()), "like": like, **_sizes(expansion)})
        return
    out = console()
    out.print(
        f"  wrote  {folder}: {', '.join([*files, README])}  (as {like}; {_sizes_text(expansion)})", soft_wrap=True
    )
    _print_next(folder, options.storage)


def _init_own(
    folder: Path,
    train: Path,
    test: Path,
    images: Path | None,
    family: Family | None,
    options: PlanOptions,
    as_json: bool,
) -> None:
    from orchestrator.data.targets import reader_of
    from orchestrator.first_study.draft import study_text
    from orchestrator.first_study.folder import README, expanded, study_name, write_folder
    from orchestrator.first_study.own_data import read_own_data, training_source
    from orchestrator.first_study.readme import readme_text
    from orchestrator.first_study.words import compare_words
    from search_spaces.study_files import STUDY_FILE
    from trainables.data.pace import Pace

    name = study_name(folder, open_store(options.storage))
    source = training_source(f"{name}-train", train, reader_of(train), images)
    data = read_own_data(source, test, images, family, lambda file: Pace(file, _to_stderr))
    study = study_text(name, data)
    expansion = expanded(study, str(folder / STUDY_FILE), options)
    words = compare_words(data, expansion.specs()[0].language)
    notes = _notes(data, words, images)
    write_folder(folder, {STUDY_FILE: study, README: readme_text(name, folder, list(notes.values()))})
    if as_json:
        print_json({"study": name, "folder": str(folder.absolute()), **_sizes(expansion), **_found(data, words)})
        return
    out = console()
    for label, note in notes.items():
        out.print(f"  {label:5}  {note}", soft_wrap=True)
    wrote = f"{folder / STUDY_FILE}  ({_sizes_text(expansion)}, every line explained)   {folder / README}"
    out.print(f"  wrote  {wrote}", soft_wrap=True)
    _print_next(folder, options.storage)


def _notes(data: OwnData, words: Words, images: Path | None) -> dict[str, str]:
    """Say what was found: label -> sentence on one line.

    Args:
        data: as they were read.
        words: of the test set.
        images: folder of the command line.
    """
    from trainables.benchmarks.example_json import right_answer

    training, test, first = data.training_counts, data.test_counts, data.examples[0]
    shared = f"{number_of(data.shared_images, 'image')} in both" if data.shared_images else "no image in both"
    notes = {
        "read": f"{number_of(training.records, 'record')}, {number_of(training.images, 'image')};"
        f" {number_of(test.records, 'question')} on {number_of(test.images, 'image')},"
        f" {number_of(data.answers, 'answer')}; {shared}",
        "asked": f'"{data.asked.prompt(first)}"   expected "{right_answer(first)}"   ({_asked_as(data)};'
        f" scored as {data.family})",
        "words": f"{words.known:,} of {words.total:,} known to `{words.language}`, the language of your own words",
    }
    if data.shared_images:
        notes["look"] = "A model may know the answers about images that it was trained on: use others to test."
    if data.unlike_training:
        notes["form"] = " ".join(f"{sentence}." for sentence in data.unlike_training)
    if words.unknown:
        more = ", ..." if len(words.unknown) > _SHOWN_WORDS else ""
        notes["new"] = f"unknown: {', '.join(words.unknown[:_SHOWN_WORDS])}{more}"
    if words.unsayable:
        notes["stop"] = (
            f"The right answers to {number_of(words.unsayable, 'question')} have words that no training text has: `run`"
            " refuses them. Train on these words, leave these questions out, or take a pretrained language model."
        )
    if images is not None and data.training.reader == "parquet":
        notes["where"] = "--images is for the questions alone: the Parquet files hold the images of their records."
    return {label: one_line(note) for label, note in notes.items()}


def _asked_as(data: OwnData) -> str:
    if data.unlike_training:
        return f"{data.protocol}: not as in your training data"
    return (
        f"{data.protocol}: as in your training data"
        if data.protocol == FAMILY_PROTOCOL
        else (f"{data.protocol}: with the instruction that your training data have")
    )


def _found(data: OwnData, words: Words) -> dict[str, Any]:
    first = data.examples[0]
    return {
        "training": {"records": data.training_counts.records, "images": data.training_counts.images},
        "test": {"questions": data.test_counts.records, "images": data.test_counts.images, "answers": data.answers},
        "shared_images": data.shared_images,
        "family": data.family,
        "protocol": data.protocol,
        "prompt": data.asked.prompt(first),
        "unlike_training": list(data.unlike_training),
        "words": {
            "language": words.language,
            "known": words.known,
            "total": words.total,
            "unknown": list(words.unknown),
            "unsayable_questions": words.unsayable,
        },
    }


def _sizes(expansion: Expansion) -> dict[str, int]:
    return {"arms": len(expansion.trials), "trials": sum(map(len, expansion.trials))}


def _sizes_text(expansion: Expansion) -> str:
    sizes = _sizes(expansion)
    return f"{number_of(sizes['arms'], 'arm')}, {number_of(sizes['trials'], 'trial')}"


def _print_next(folder: Path, storage: Path) -> None:
    """Print the commands that come next, to be pasted; a storage that is not the usual one is named."""
    where = ["--storage", str(storage)] if storage != USUAL_STORAGE.expanduser() else []
    following = [own_command(name, str(folder), *where) for name in ("plan", "run")]
    console().print(f"Next:  {following[0]}\n       {following[1]}", soft_wrap=True)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
