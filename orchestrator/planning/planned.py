"""Expand and plan a study under the options of the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.address import names_cluster
from cluster.fit import NodeResources, usable_cpus, visible_gpus
from orchestrator.own_command import named_anywhere, own_command
from orchestrator.planning.blind_choice import choose_blind_run
from orchestrator.planning.encoder_probe import StoredProbe
from orchestrator.planning.language_memory import StoredLanguageFacts
from orchestrator.planning.preflight import Digests
from orchestrator.running.equal_failures import EQUAL_FAILURES
from orchestrator.running.retry_policy import Budgets
from orchestrator.running.storage_pause import PATIENCE_S
from orchestrator.state.added_seeds import read_added
from search_spaces.credentials import has_credentials
from search_spaces.expansion.expand import (
    FEATURES_BUDGET_BYTES,
    Expansion,
    expand_study,
    plan_expansion,
    stored_name,
)
from search_spaces.expansion.graph import FeaturesChoice
from search_spaces.expansion.toy_resources import Machine
from search_spaces.plan import Plan
from search_spaces.study import Study
from search_spaces.worker_contract import LauncherName
from trainables.storage import layout
from trainables.storage.store import LocalStore

if TYPE_CHECKING:
    from orchestrator.running.event_log import EventLog
    from orchestrator.running.rehearsals import RehearsalChoice


@dataclass(frozen=True)
class PlanOptions:
    """What the command line decides about a plan. None of it changes a result."""

    storage: Path
    """Absolute root of the storage."""
    data: Path
    """Absolute folder in which relative paths of sources and weights start."""
    overrides: tuple[str, ...] = ()
    """`KEY=VALUE` pairs laid over the study file."""
    limit: int | None = None
    """Keep the first so many trials, in plan order."""
    features: FeaturesChoice = "auto"
    features_budget_bytes: int = FEATURES_BUDGET_BYTES
    toy: bool = False
    address: str | None = None
    """Of the Ray cluster that trials are meant for, as `cluster.address` reads it."""

    def flags(self) -> list[str]:
        """List the flags that select the same trials on the same storage in another command."""
        flags = ["--storage", str(self.storage)]
        if self.data != self.storage / layout.SOURCES:
            flags += ["--data", str(self.data)]
        flags += [part for override in self.overrides for part in ("--set", override)]
        flags += [] if self.limit is None else ["--limit", str(self.limit)]
        flags += ["--features", self.features] if self.features != "auto" else []
        if self.features_budget_bytes != FEATURES_BUDGET_BYTES:
            flags += ["--features-budget", f"{self.features_budget_bytes / 1e9:g}"]
        return [*flags, *(["--toy"] if self.toy else [])]

    @property
    def is_embedded(self) -> bool:
        """Whether the trials run on a cluster inside this machine."""
        return not names_cluster(self.address)


@dataclass(frozen=True)
class RunOptions:
    """What the command line decides about a run. None of it changes a result."""

    plan: PlanOptions
    study: str = "STUDY"
    """The study as the command line names it."""
    tracking_uri: str | None = None
    offline: bool = False
    """Talk to no tracking server: records wait in the spools for `ablate sync`."""
    cpus: int | None = None
    """Of the embedded cluster; None for all."""
    max_concurrent: int | None = None
    """Most trials at a time; None for as many as the cluster has room for."""
    may_come: tuple[NodeResources, ...] = ()
    """Nodes that the cluster has when all have come; empty where none come."""
    interface: str | None = None
    """Network interfaces over which workers on several hosts meet; None for what the study says."""
    launcher: LauncherName | None = None
    """Who starts the workers of a trial; None for what the study says."""
    only: tuple[str, ...] = ()
    """Names of arms, axes and values whose trials are run; none for all. The plan stays that of the whole study."""
    retry_failed: bool = False
    """Try all failed trials again, also those that failed alike twice."""
    retries: int = Budgets().lost
    """How often a trial is tried again whose process was lost, in a row without progress."""
    equal_failures: int = EQUAL_FAILURES
    """Equal failures after which what they share is not started any more; 0 for never."""
    storage_patience_s: float = PATIENCE_S
    """Longest time that a run waits for a storage that is away or full."""
    rehearsals: RehearsalChoice = "first"
    restore_weights: bool = False
    """Train stages again whose weights are damaged, also where the trial has all its scores."""
    up_to_seeds: int = 0
    """Seeds to which this run goes by itself while claims are open: looks up to there are planned before scores."""
    gpu_seconds_left: float = math.inf
    """No trial is started once the study has spent so much since this run began."""
    max_gpu_hours: float | None = None
    """Most that the study may spend in all, by whatever run; None for no limit."""
    events: EventLog | None = None
    """Where events of trials are written for programs."""

    @property
    def sync_command(self) -> str:
        """The command that sends what storage holds of this run's trials to its tracking server, to be pasted.

        An address with a password in it is left out: it is in the environment, or the user has it.
        """
        uri = self.tracking_uri
        server = ["--tracking-uri", uri] if uri is not None and not has_credentials(uri) else []
        return own_command("sync", named_anywhere(self.study), *self.plan.flags(), *server)


def expand(study: Study, options: PlanOptions, *, remembers: bool = True) -> Expansion:
    """Expand a study into arms and trials. Of data and weights, only the configurations of checkpoints are read.

    What a run on this storage knew of checkpoints is recalled where they are not on this machine. Seeds that a run on
    it has added to those of the study file are there.

    Args:
        study: as it was written.
        options: of the command line.
        remembers: whether facts of encoders that had to be found out are kept on storage, if there is one.

    Raises:
        InputError: everything that is wrong with the study, together.
    """
    store = LocalStore(options.storage)
    added = read_added(store, stored_name(study, toy=options.toy))
    return expand_study(
        study,
        toy=options.toy,
        toy_machine=Machine(usable_cpus(), visible_gpus()) if options.is_embedded else None,
        probe=StoredProbe(store, remembers=remembers),
        language_facts=StoredLanguageFacts(store, options.data),
        added=added.by_arm if added is not None else None,
    )


def plan(expansion: Expansion, options: PlanOptions, known: Digests) -> Plan:
    """Plan the selected trials of an expanded study.

    Args:
        expansion: arms and trials.
        options: which trials are selected, and whether features are cached.
        known: digests and counts of data and weights; stages whose digests are not among them have no key.

    Raises:
        InputError: if a mix asks for more than its counted sources hold.
    """
    planned = plan_expansion(
        expansion,
        digests=known.digests,
        counts=known.counts,
        limit=options.limit,
        features=options.features,
        features_budget_bytes=options.features_budget_bytes,
    )
    return choose_blind_run(planned, known.counts) if expansion.study.blind is None else planned
