"""Which benchmarks of a table ask one skill of the same pictures, and count as one there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from orchestrator.analysis.intervals import Floats

REFCOCO = ("refcoco", "refcoco+", "refcocog")
ONE_SKILL: tuple[tuple[str, ...], ...] = (REFCOCO, ("textvqa-ocr", "textvqa"))
"""Benchmarks that count as one: three sets of phrases for regions of the same pictures; the same questions with and
without the text read out. Over the 43 contrasts of Prismatic's claims, on its published table, their differences
correlate by .99 and .94."""


def skills_of(benchmarks: Sequence[str]) -> list[tuple[str, ...]]:
    """Group benchmarks into skills, in the order of the first of each."""
    skills = {name: skill for skill in ONE_SKILL for name in skill}
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in benchmarks:
        groups.setdefault(skills.get(name, (name,)), []).append(name)
    return [tuple(group) for group in groups.values()]


def skill_means(by_benchmark: Mapping[str, float], skills: Sequence[Sequence[str]]) -> Floats:
    """Average values by benchmark within each skill."""
    return np.array([np.mean([by_benchmark[name] for name in skill]) for skill in skills])
