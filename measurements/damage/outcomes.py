"""Judge what a command makes of a damaged file, against the same command on the undisturbed storage."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from measurements.damage.commands import Said, normalised, run_command
from measurements.damage.kinds import damage, files, kind_of
from orchestrator.exit_codes import EXIT_BAD_INPUT, EXIT_DONE
from trainables.storage import tracked_names
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore

Outcome = Literal[
    "unaffected",
    "redone",
    "not there yet",
    "dropped with a notice",
    "refused by name",
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
- `dropped with a notice`: it goes on without the file, and names it.
- `refused by name`: it ends with exit code 2, the file, and a way out.
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
    "hypotheses",
    "looks",
    "study",
    "plan",
    "upload offset",
)
"""Kinds of files that make something be there: without one, it never was."""

FAULTS: tuple[Outcome, ...] = ("traceback", "silently", "for ever", "unnamed")


@dataclass(frozen=True)
class Reference:
    """An undisturbed storage, and what commands say and leave there."""

    storage: Path
    said: Mapping[str, str]
    """Command -> its normalised text."""
    left: Mapping[str, Mapping[str, bytes]]
    """Command -> the files that it leaves, by their names."""

    @staticmethod
    def of(storage: Path, commands: tuple[str, ...], scratch: Path) -> Reference:
        """Run commands on copies of a storage, and keep what they say and leave."""
        said, left = {}, {}
        for name in commands:
            copy = _copy(storage, scratch / "reference")
            outcome = run_command(name, copy)
            if outcome.code != EXIT_DONE:
                raise RuntimeError(f"{name} must do its work on an undisturbed storage, but: {outcome.text}")
            said[name], left[name] = normalised(outcome, copy), contents(copy)
        return Reference(storage, said, left)


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
    storage = _copy(reference.storage, scratch / "damaged")
    name = [file for file in files(storage) if kind_of(file) == kind][-1]
    damage(storage / name, way)
    damaged = contents(storage).get(name)
    said = run_command(command, storage)
    outcome = _outcome(reference, command, name, said, storage, damaged)
    if outcome == "redone":
        again = run_command(command, storage)
        settled = _outcome(reference, command, name, again, storage, damaged)
        if settled not in ("unaffected", "redone") or _names(again, storage, name):
            return "for ever", said.text + again.text
    return outcome, said.text


def _outcome(
    reference: Reference, command: str, name: str, said: Said, storage: Path, damaged: bytes | None
) -> Outcome:
    is_named = _names(said, storage, name)
    if said.code is None:
        return "traceback"
    if said.code == EXIT_BAD_INPUT:
        return "refused by name" if is_named else "unnamed"
    if said.code != EXIT_DONE:
        return "unnamed" if not is_named else "for ever"
    after, whole = contents(storage), reference.left[command]
    changed = {file for file in whole.keys() | after.keys() if whole.get(file) != after.get(file)}
    is_equal = normalised(said, storage) == reference.said[command]
    if command == "run":
        if not changed:
            return "redone"
        if changed != {name}:
            return "silently"
        return "dropped with a notice" if is_named else "unaffected" if after.get(name) == damaged else "silently"
    if is_named:
        return "dropped with a notice" if name in changed else "redone"
    if is_equal and changed <= {name}:
        return "unaffected"
    return "not there yet" if damaged is None and kind_of(name) in NOT_THERE_YET else "silently"


def _names(said: Said, storage: Path, name: str) -> bool:
    """Tell whether a command names a file, or the folder of its artifact."""
    text = re.sub(r"\s", "", said.text)  # a terminal may break the line
    return str(storage / name) in text or name in text


def contents(storage: Path) -> dict[str, bytes]:
    """Read all files that commands read, without the times in them."""
    found = {}
    for name in files(storage):
        if kind_of(name) is not None:
            content = (storage / name).read_bytes()
            if name.endswith(".jsonl"):
                content = _history(storage, name)
            found[name] = _timeless(content) if name.endswith(".json") else content
    return found


_TIMES = (
    rb"~checksum|\w*seconds\w*|samples_per_second|train/samples_per_s|train/mfu|mfu|ts|born|last_ts|ended|written|at"
    rb"|signature|storage|data"
)
"""Fields of records whose values say when, how fast or where."""


def _history(storage: Path, name: str) -> bytes:
    """Read the points of a spool that are a function of the study alone, each once."""
    points = {
        (line.get("step"), metric, value)
        for _, line in read_spool(LocalStore(storage), name)
        for metric, value in line.get("metrics", {}).items()
        if metric in (tracked_names.TRAIN_LOSS, tracked_names.TRAIN_LR) or metric.startswith("eval")
    }
    return repr(sorted(points, key=str)).encode()


def _timeless(content: bytes) -> bytes:
    return re.sub(rb'"(' + _TIMES + rb')": ?[^,}\n]*', rb'"\1": 0', content)


def _copy(storage: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    target = folder / "storage"
    shutil.copytree(storage, target)
    return target


def is_fault(outcome: Outcome) -> bool:
    """Tell whether an outcome must not be."""
    return outcome in FAULTS


assert set(FAULTS) <= set(get_args(Outcome))
