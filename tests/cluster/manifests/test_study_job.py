"""A job has a name that Kubernetes takes and that no other study's job has."""

from __future__ import annotations

import re

from cluster.manifests.study_job import StudyJob

LONGEST = 47


def _label(study: str) -> str:
    job = StudyJob(command="", study=study, text="", shipped_as=None, overrides=(), options=(), storage="/s")
    return job.label(LONGEST)


def test_a_name_that_kubernetes_takes_stays_as_it_is() -> None:
    assert _label("resampler-2") == "ablate-resampler-2"


def test_names_that_are_changed_or_cut_stay_different() -> None:
    studies = ["a.b", "a_b", "a-b", "A-b", "a-b-", "a" * 60 + "1", "a" * 60 + "2", "." * 5, "a" * 40, "a" * 41]
    labels = [_label(study) for study in studies]
    assert len(set(labels)) == len(studies)
    assert all(re.fullmatch("[a-z]([a-z0-9-]*[a-z0-9])?", label) and len(label) <= LONGEST for label in labels)
