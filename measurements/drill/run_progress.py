"""Measure what a disturbance of a run cost: stages that were done and trained again, and steps that were done again."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from search_spaces.plan import Plan
from trainables.storage import layout, tracked_names
from trainables.storage.spool import read_spool
from trainables.storage.store import LocalStore

_BEGUN = re.compile(r"^training stage \S+ (?P<key>\w+)$")
_GOING_ON = re.compile(r"^\S+: going on from step (?P<step>\d+)$")


@dataclass(frozen=True)
class Moment:
    """What is on storage at one moment of a study's stages."""

    done: frozenset[str]
    """Keys of stages that have their result."""
    steps: Mapping[str, int]
    """Key of a stage without its result -> steps of it whose losses are written."""
    log_bytes: Mapping[Path, int]
    """Log of a worker -> its length."""

    @staticmethod
    def of(storage: Path, plan: Plan) -> Moment:
        """Read the moment from storage."""
        store, steps = LocalStore(storage), dict[str, int]()
        done = frozenset(path.parent.name for path in storage.glob("stages/*/result.json"))
        for trial in plan.trials:
            logged, before = _logged_steps(store, layout.spool(plan.study, trial.id)), 0
            for node in trial.stage_nodes(plan):
                key, length = node.key or "", node.steps or 0
                reached = min(max(logged - before, 0), length)
                before += length
                if key not in done and reached > steps.get(key, 0):
                    steps[key] = reached
        return Moment(done, steps, {log: log.stat().st_size for log in _logs(storage)})

    def trained_again(self, storage: Path) -> set[str]:
        """Return the stages that were done at this moment and were begun again since."""
        return {key for key, _ in self._begun_since(storage)} & self.done

    def lost_steps(self, storage: Path) -> list[int]:
        """Count the steps that had to be done again of each stage that was half-trained and was begun again since."""
        first: dict[str, int] = {}
        for key, step in self._begun_since(storage):
            first.setdefault(key, step)
        return [max(0, steps - first[key]) for key, steps in self.steps.items() if key in first]

    def _begun_since(self, storage: Path) -> Iterator[tuple[str, int]]:
        """Read from the workers' logs which stages were begun since this moment, and from which step."""
        for log in _logs(storage):
            lines = log.read_bytes()[self.log_bytes.get(log, 0) :].decode(errors="replace").splitlines()
            for line, after in itertools.zip_longest(lines, lines[1:], fillvalue=""):
                if begun := _BEGUN.match(line):
                    going_on = _GOING_ON.match(after)
                    yield begun["key"], int(going_on["step"]) if going_on else 0


def _logs(storage: Path) -> list[Path]:
    return sorted(storage.glob("studies/*/trials/*/rank-0.log"))


def _logged_steps(store: LocalStore, spool: str) -> int:
    """Return the last step of a trial, counted over its stages, whose loss is in its spool."""
    if not store.exists(spool):
        return 0
    lines = (line for _, line in read_spool(store, spool))
    return max((line["step"] for line in lines if tracked_names.TRAIN_LOSS in line.get("metrics", {})), default=0)
