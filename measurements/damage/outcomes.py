"""Judge what a command makes of a damaged file, against the same command on the undisturbed storage."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from measurements.damage.commands import Said, normalised, run_command
from measurements.damage.kinds import damage, files, kind_of
from measurements.drill.tracking_server import mlflow_history
from orchestrator.exit_codes import EXIT_BAD_INPUT, EXIT_DONE, EXIT_TRIAL_FAILED
from trainables.storage import tracked_names
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore

Outcome = Literal[
    "unaffected",
    "redone",
    "not there yet",
    "lost",
    "dropped with a notice",
    "refused by name",
    "named",
    "traceback",
    "silently",
    "for ever",
    "unnamed",
]
"""What a command came to.

- `unaffected`: it says what it says without the damage.
- `redone`: the file is there again, with the bytes that it had (records: with the same content, but for times), and
  where anything but a cache was made again, a notice named it. The same command then has nothing left to do.
- `not there yet`: the file is gone, and no other says that it was ever there: what it stands for is shown as not done,
  or not known.
- `lost`: as `not there yet`, but of something that has happened: it cannot be made again, and what is counted of it is
  one less. All else is what it is without the damage.
- `dropped with a notice`: it goes on without the file, and names it.
- `refused by name`: it ends with exit code 2, the file, and a way out.
- `named`: it says that the file is damaged and who mends it, with the exit code of that: what `verify` is for.
- `traceback`, `silently` (what it says or writes is another thing, and nothing names the file), `for ever` (what was
  to be redone is not, after a second run), `unnamed` (it ends with an error that does not name the file): faults.
"""

NOT_THERE_YET = (
    "digests",
    "facts of encoders",
    "facts of language models",
    "checked weights",
    "manifest of prepared data",
    "result of features",
    "result of a stage",
    "result of an evaluation",
    "result of a trial",
    "task of a trial",
    "study",
    "plan",
    "upload offset",
    "failure",
    "failed attempt",
    "record of resumes",
    "manifest of a checkpoint",
    "run",
    "request to stop",
    "lease of a trial",
    "lease of a run",
    "rehearsal",
    "tracking database",
)
"""Kinds of files that make something be there: without one, it never was."""

LOST = ("looks",)
"""Kinds of files that tell of something that has happened, and of which no other file tells."""

NAMED_BY_CONTENT = ("hypotheses", "looks")
"""Kinds of files that are named by their content: what is written in place of one that is gone has another name, and
who misses one can name its folder alone."""

FAULTS: tuple[Outcome, ...] = ("traceback", "silently", "for ever", "unnamed")


@dataclass(frozen=True)
class Reference:
    """An undisturbed storage, and what commands say and leave there."""

    storage: Path
    said: Mapping[str, str]
    """Command -> its normalised text."""
    left: Mapping[str, Mapping[str, bytes]]
    """Command -> the files that it leaves, by their names."""
    kinds: frozenset[str | None]
    """Of the files that are there."""

    @staticmethod
    def of(storage: Path, commands: tuple[str, ...], scratch: Path) -> Reference:
        """Run commands on copies of a storage, and keep what they say and leave."""
        said, left = {}, {}
        for name in commands:
            copy = copied(storage, scratch)
            outcome = run_command(name, copy)
            if outcome.code != EXIT_DONE:
                raise RuntimeError(f"{name} must do its work on an undisturbed storage, but: {outcome.text}")
            said[name], left[name] = normalised(outcome, name, copy), contents(copy)
        return Reference(storage, said, left, frozenset(map(kind_of, files(storage))))


def judge(reference: Reference, command: str, kind: str, way: str, scratch: Path) -> tuple[Outcome, str]:
    """Damage one file of a kind on a copy of a storage, run a command there, and judge what it came to.

    Args:
        reference: the undisturbed storage.
        command: that is run.
        kind: of the file that is damaged: the last one of its kind.
        way: in which it is damaged.
        scratch: folder for the copy.

    Returns:
        The outcome, and all that the command said.
    """
    storage = copied(reference.storage, scratch)
    name = [file for file in files(storage) if kind_of(file) == kind][-1]
    damage(storage / name, way)
    damaged = _bytes(storage / name)
    said = run_command(command, storage)
    outcome = _outcome(reference, command, name, said, storage, damaged)
    if outcome == "redone":
        again = run_command(command, storage)
        settled = _outcome(reference, command, name, again, storage, damaged)
        if settled not in ("unaffected", "redone") or _names(again, reference, command, storage, name):
            return "for ever", said.text + again.text
    return outcome, said.text


def _outcome(
    reference: Reference, command: str, name: str, said: Said, storage: Path, damaged: bytes | None
) -> Outcome:
    is_named = _names(said, reference, command, storage, name)
    if said.code is None:
        return "traceback"
    if said.code == EXIT_BAD_INPUT:
        return "refused by name" if is_named else "unnamed"
    if command == "verify" and said.code == EXIT_TRIAL_FAILED and is_named:
        return "named"
    if said.code != EXIT_DONE:
        return "unnamed" if not is_named else "for ever"
    after, whole = contents(storage), reference.left[command]
    changed = {file for file in whole.keys() | after.keys() if whole.get(file) != after.get(file)}
    is_equal = normalised(said, command, storage) == reference.said[command]
    is_left = _bytes(storage / name) == damaged
    is_gone = damaged is None and kind_of(name) in NAMED_BY_CONTENT
    in_its_place = {file for file in after.keys() - whole.keys() if is_gone and kind_of(file) == kind_of(name)}
    changed -= in_its_place
    if is_gone and kind_of(name) in LOST and (in_its_place or not is_equal):
        return "lost" if changed <= {name} and (is_equal or not command.startswith("run")) else "silently"
    if command.startswith("run") and (not changed <= {name} or (in_its_place and not is_named)):
        return "silently"
    if command.startswith("run") and not is_left:
        return "silently" if changed else "redone"
    if is_named:
        return "dropped with a notice" if is_left else "redone"
    if command.startswith("run"):
        return "unaffected"
    if is_equal and changed <= {name}:
        return "unaffected"
    if not is_left and not changed:
        return "redone"
    return "not there yet" if damaged is None and kind_of(name) in NOT_THERE_YET else "silently"


def _bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _names(said: Said, reference: Reference, command: str, storage: Path, name: str) -> bool:
    """Tell whether a command names a file, or the folder in which it misses one, in a line of its own."""
    text = re.sub(r"\s", "", said.text.replace(str(storage.parent), ""))  # a terminal may break the line
    for line in reference.said[command].splitlines():
        if name in line:
            text = text.replace(re.sub(r"\s", "", line), "")
    is_gone = kind_of(name) in NAMED_BY_CONTENT and not (storage / name).exists()
    return (f"{name.rpartition('/')[0]}:" if is_gone else name) in text


def contents(storage: Path) -> dict[str, bytes]:
    """Read all files that commands read, without the times in them, and without what tells of attempts alone."""
    found = {}
    for name in files(storage):
        kind = kind_of(name)
        if kind is not None and kind not in _OF_ATTEMPTS:
            content = (storage / name).read_bytes()
            if name.endswith(".jsonl"):
                content = _history(storage, name)
            elif kind == "tracking database":
                content = _tracked_history(storage / name)
            found[name] = _timeless(content) if name.endswith(".json") else content
    return found


_OF_ATTEMPTS = ("record of resumes", "lease of a trial", "lease of a run")
"""Kinds of files that say how often work was begun, and by whom."""

_TIMES = (
    rb"~checksum|\w*seconds\w*|samples_per_second|train/samples_per_s|train/mfu|mfu|ts|born|last_ts|ended|written|at"
    rb"|signature|storage|data|run"
)
"""Fields of records whose values say when, how fast or where, or are drawn by a server."""

_LEASED = rb'"leased": \[[^\]]*\]'
"""Field of a task: what the attempt at hand may produce."""


def _history(storage: Path, name: str) -> bytes:
    """Read the points of a spool that are a function of the study alone, each once."""
    points = {
        (line.get("step"), metric, value)
        for _, line in read_spool(LocalStore(storage), name)
        for metric, value in line.get("metrics", {}).items()
        if metric in (tracked_names.TRAIN_LOSS, tracked_names.TRAIN_LR) or metric.startswith("eval")
    }
    return repr(sorted(points, key=str)).encode()


def _tracked_history(database: Path) -> bytes:
    """Read the histories of trials that MLflow keeps in a database; of one that is damaged, its bytes."""
    try:
        return repr(mlflow_history(database)).encode()
    except sqlite3.DatabaseError:
        return database.read_bytes()


def _timeless(content: bytes) -> bytes:
    return re.sub(_LEASED, b"", re.sub(rb'"(' + _TIMES + rb')": ?[^,}\n]*', rb'"\1": 0', content))


def copied(storage: Path, scratch: Path) -> Path:
    """Copy a storage into a folder that no library has seen before: they keep connections to databases by their path.

    The copy before is removed.
    """
    for folder in scratch.glob("copy-*"):
        shutil.rmtree(folder)
    target = Path(tempfile.mkdtemp(prefix="copy-", dir=scratch)) / "storage"
    shutil.copytree(storage, target)
    return target


def is_fault(outcome: Outcome) -> bool:
    """Tell whether an outcome must not be."""
    return outcome in FAULTS


assert set(FAULTS) <= set(get_args(Outcome))
