"""Write a study as a batch script of Slurm: one Ray cluster over the nodes of an allocation, and the run on it."""

from __future__ import annotations

import shlex
from importlib import resources

import jinja2

from cluster.deployment import Slurm
from cluster.manifests.study_job import StudyJob, labels_text
from cluster.profile import Profile
from search_spaces.errors import InputError

END_OF_STUDY = "END_OF_STUDY"
"""Line that ends the study's file within the script."""

TIDY_UP_S = 60
"""Of the notice before the limit: what is kept for the end of the run and of Ray, after checkpoints were reached."""


def sbatch(job: StudyJob, profile: Profile) -> str:
    """Write the script. It has the study's file in it and needs no other.

    Raises:
        InputError: if the profile has no `slurm`.
    """
    if profile.slurm is None:
        raise InputError("must be in the profile for --render sbatch", key="slurm", place=profile.name)
    if END_OF_STUDY in job.text.splitlines():
        raise InputError(f"must have no line {END_OF_STUDY}, which ends it within the script", place=job.study)
    (kind,) = profile.nodes
    template = resources.files("cluster").joinpath("manifests/sbatch.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return (
        environment.from_string(template).render(
            study=job.study,
            command=job.command,
            name=job.label(40),
            kind=kind,
            slurm=profile.slurm,
            labels=f" --labels={shlex.quote(labels_text(kind.labels))}" if kind.labels else "",
            memory_mib=kind.memory_bytes // 2**20,
            time=_time(profile.slurm),
            within_s=profile.slurm.notice_s - TIDY_UP_S,
            options=shlex.join(job.options),
            toy=" --toy" if "--toy" in job.options else "",  # the name of what is stopped
            storage=shlex.quote(job.storage),
            text=job.text,
            end_of_study=END_OF_STUDY,
        )
        + "\n"
    )


def _time(slurm: Slurm) -> str:
    """Write the limit as Slurm reads it: hours:minutes:seconds."""
    minutes = round(slurm.hours * 60)
    return f"{minutes // 60}:{minutes % 60:02d}:00"
