"""Read and say where the attempts of a trial could not go on from the newest step checkpoint of a stage. No torch."""

from __future__ import annotations

from search_spaces.quantities import number_of
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo
from trainables.storage.records import Resume, Resumes
from trainables.storage.store import Store


def last_restart(store: Store, study: str, trial: str) -> str | None:
    """Say where the newest attempt of a trial went on, if not from the newest checkpoint; None if it did.

    Args:
        store: the storage.
        study: name of the study.
        trial: id of the trial.
    """
    log = read_or_redo(store, layout.trial_resumes(study, trial), Resumes) or Resumes(())
    newest = log.resumes[-1] if log.resumes else None
    return restart_sentence(newest) if newest is not None and newest.passed_over else None


def restart_sentence(resume: Resume) -> str:
    """Say from which step a stage went on, and what is wrong with its newest checkpoint."""
    at = f"goes on from step {resume.step:,}" if resume.step else "was begun anew from step 0"
    place = max(resume.passed_over)  # the newest: names sort by their steps, and records by their keys
    more = len(resume.passed_over) - 1
    others = f" (and {number_of(more, 'more checkpoint')})" if more else ""
    return f"{resume.stage} {at}, as {place} could not be used{others}: {resume.passed_over[place]}"
