"""Print a study as the manifest of a cluster, for `ablate submit --render`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from orchestrator.commands.option_groups import flags_of
from search_spaces.credentials import has_credentials
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.study import Study

RenderOption = Annotated[
    Literal["rayjob", "sbatch", "ray-up"] | None,
    typer.Option("--render", help="Print what a cluster of --profile takes, and apply nothing."),
]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="Of --render: a profile of a cluster, a file or the name of a shipped one."),
]


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """Options of `ablate submit` that print a manifest in place of a submission."""

    render: RenderOption = None
    profile: ProfileOption = None


def manifest(options: RenderOptions, study: Study, plan: Plan, name: str, text: str, run: RunWords) -> str:
    """Write the manifest of a study.

    Args:
        options: the form and the profile.
        study: as it was loaded.
        plan: of the study; each of its trials must fit the cluster.
        name: as the user called the study: a path, or the name of a shipped one.
        text: of the complete study, in YAML.
        run: what the command line says of its run.

    Raises:
        InputError: if there is no profile, if it does not suit the form, or if a trial does not fit.
    """
    from cluster.fit import refuse_impossible
    from cluster.manifests.forms import FORMS
    from cluster.manifests.study_job import StudyJob
    from cluster.profile import load_profile
    from orchestrator.running.tasks import requests_by_arm
    from search_spaces.study_files import shipped_studies

    assert options.render is not None
    if options.profile is None:
        raise InputError("must be given with --render", key="--profile")
    profile = load_profile(options.profile)
    storage = run.storage or profile.storage
    if storage is None:
        raise InputError("must be given, as the profile has no `storage`", key="--storage")
    refuse_impossible(requests_by_arm(plan), profile.fewest_nodes)  # a run places trials on the nodes that are there
    storage_words = ["--storage", run.storage] if run.storage else []
    overrides = [word for override in run.overrides for word in ("--set", override)]
    words = ["ablate", "submit", name, *flags_of(options), *storage_words, *overrides, *run.flags]
    job = StudyJob(
        command=shlex.join(words),
        study=study.study,
        text=text,
        shipped_as=name if name in shipped_studies() else None,
        overrides=tuple(run.overrides),
        options=("--storage", storage, *run.flags),
        storage=storage,
    )
    written = FORMS[options.render](job, profile)
    if has_credentials(written):
        raise InputError(
            "must hold no password and no token, as whoever sees the cluster reads it",
            key="--render",
            way_out="Take it out of the study's addresses; it belongs into a secret or a variable of the nodes.",
        )
    return written


@dataclass(frozen=True, slots=True)
class RunWords:
    """What a command line says of a run."""

    storage: str | None
    overrides: Sequence[str]
    flags: Sequence[str]
    """Its further options."""
