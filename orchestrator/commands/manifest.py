"""Print a study as the manifest of a cluster, for `ablate submit --render`."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.commands.option_groups import flags_of
from search_spaces.credentials import has_credentials
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from search_spaces.plan import Plan

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


def manifest(options: RenderOptions, plan: Plan, name: str, text: str, run: RunWords) -> str:
    """Write the manifest of a study.

    Args:
        options: the form and the profile.
        plan: of the study; each of its trials must fit the cluster.
        name: as the user called the study: a path, or the name of a shipped one.
        text: of the complete study, in YAML.
        run: what the command line says of its run.

    Raises:
        InputError: if there is no profile, if it does not suit the form, or if a trial does not fit.
    """
    from cluster.demand import write_may_come
    from cluster.fit import refuse_impossible
    from cluster.manifests.forms import FORMS, grows
    from cluster.manifests.study_job import StudyJob
    from cluster.profile import load_profile
    from orchestrator.running.tasks import requests_by_arm
    from search_spaces.study_files import shipped_studies

    assert options.render is not None
    if options.profile is None:
        raise InputError("must be given with --render", key="--profile")
    profile = load_profile(options.profile)
    storage = _storage(run.storage, profile.storage)
    refuse_impossible(requests_by_arm(plan), profile.most_nodes)
    is_told = "--may-come" in run.flags or not grows(options.render, profile)
    may_come = [] if is_told else ["--may-come", write_may_come(profile.most_nodes)]  # else only `min` nodes count
    storage_words = ["--storage", run.storage] if run.storage else []
    overrides = [word for override in run.overrides for word in ("--set", override)]
    words = ["ablate", "submit", name, *flags_of(options), *storage_words, *overrides, *run.flags]
    _refuse_lines(words)
    job = StudyJob(
        command=shlex.join(words),
        study=plan.study,
        text=text,
        shipped_as=name if name in shipped_studies() else None,
        overrides=tuple(run.overrides),
        options=("--storage", storage, *run.flags, *may_come),
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


def _storage(given: str | None, of_profile: str | None) -> str:
    """Return the storage root of a run as the nodes see it.

    Raises:
        InputError: if neither the command line nor the profile has one, or a container could not mount it.
    """
    if given is None:
        if of_profile is None:
            raise InputError("must be given, as the profile has no `storage`", key="--storage")
        return of_profile
    from cluster.deployment import absolute_path

    try:
        return absolute_path(given)
    except ValueError as error:
        raise InputError(str(error), key="--storage") from None


def _refuse_lines(words: Sequence[str]) -> None:
    """Refuse words that would end the comment in which the command stands, and begin a line of the manifest.

    Raises:
        InputError: naming the first word with a line break or another control character.
    """
    for word in words:
        if any(unicodedata.category(character) in _NOT_IN_A_LINE for character in word):
            raise InputError(
                "must have no line break and no other control character, as the command stands in a comment of the"
                f" manifest, but has the word {word!r}",
                key="--render",
                way_out="Write it into the study's file.",
            )


_NOT_IN_A_LINE = ("Cc", "Zl", "Zp")
"""Unicode's control characters and separators of lines and paragraphs; YAML ends a comment at several of them."""


@dataclass(frozen=True, slots=True)
class RunWords:
    """What a command line says of a run."""

    storage: str | None
    """None: that of the profile."""
    overrides: Sequence[str]
    flags: Sequence[str]
    """Its further options."""
