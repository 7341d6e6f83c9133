"""Options of the commands that train: how far a run goes, what is done about failures, and where it runs."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestrator.commands.options import AddressOption, OfflineOption, OnlyOption, TrackingOption
from search_spaces.errors import InputError

if TYPE_CHECKING:
    from orchestrator.planning.planned import PlanOptions, RunOptions
    from orchestrator.run_until_decided import Limits
    from orchestrator.running.rehearsals import RehearsalChoice

CpusOption = Annotated[int | None, typer.Option("--cpus", min=1, help="CPUs of the embedded cluster (default: all).")]
ConcurrentOption = Annotated[
    int | None, typer.Option("--max-concurrent", min=1, help="Most trials at a time (default: what fits).")
]
InterfaceOption = Annotated[
    str | None,
    typer.Option(
        "--interface",
        metavar="NAME[,NAME]",
        help="Network interfaces over which workers on several hosts meet (default: the study's, else of each host the "
        "one that carries the address of its Ray node).",
    ),
]
LauncherOption = Annotated[
    Literal["gang", "ray-train"] | None,
    typer.Option(
        "--launcher",
        help="Who starts and watches the workers of a trial: `gang`, actors in the trial's own reservation that serve "
        "one trial after another, or `ray-train`, a run of Ray Train per trial (default: the study's, else gang).",
    ),
]
MayComeOption = Annotated[
    str | None,
    typer.Option(
        "--may-come",
        metavar="PROFILE|NxCPUS:GPUS",
        help="Nodes that the cluster has when its autoscaler has added all: a profile, or such as 4x192:8. A study is "
        "admitted against them, and they are asked for while trials wait.",
    ),
]
RetriesOption = Annotated[
    int,
    typer.Option(
        "--retries",
        min=0,
        help="How often a trial goes on from its last checkpoint whose worker or machine was lost, in a row without "
        "progress.",
    ),
]
EqualFailuresOption = Annotated[
    int,
    typer.Option(
        "--equal-failures",
        min=0,
        help="Trials that fail alike after which no more of what they have in common are started; 0 for never.",
    ),
]
StorageTroubleOption = Annotated[
    Literal["pause", "exit"],
    typer.Option("--on-storage-trouble", help="What to do while the storage is away or full; exit: with code 3."),
]
PauseOption = Annotated[
    float | None,
    typer.Option(
        "--pause-at-most",
        min=0,
        metavar="MINUTES",
        help="Longest pause for the storage, then exit 3 (default: 30 minutes; without end on a terminal).",
    ),
]
RetryFailedOption = Annotated[
    bool, typer.Option("--retry-failed", help="Try all failed trials again, also those that failed alike twice.")
]
RestoreOption = Annotated[
    bool,
    typer.Option(
        "--restore-weights",
        help="Train stages again whose weights are damaged or gone, also of trials that have all their scores: for"
        " `ablate export`.",
    ),
]
RehearsalOption = Annotated[
    bool | None,
    typer.Option(
        "--rehearsal/--no-rehearsal",
        help="Rehearse every shape of the trials first that has not run on this storage, or start the trials at once."
        " By default they are rehearsed, but not with --toy, which is a rehearsal itself.",
    ),
]
RehearseOnlyOption = Annotated[
    bool, typer.Option("--rehearse-only", help="Rehearse every shape of the trials, and start none of them.")
]
UntilDecidedOption = Annotated[
    bool,
    typer.Option(
        "--until-decided",
        help="Add seeds to the arms of open hypotheses, at the looks that these declare, until all are decided or "
        "futile. Storage keeps what was added: the same command goes on.",
    ),
]
GpuHoursOption = Annotated[
    float | None,
    typer.Option(
        "--max-gpu-hours",
        min=0,
        metavar="H",
        help="Most that the study may spend: what its trials have cost that are done, by whatever run, and all "
        "attempts of this one; with --until-decided from its first use on. No trial is started beyond it: exit 3.",
    ),
]
StepsOption = Annotated[
    str | None,
    typer.Option(
        "--steps",
        metavar="N,N,...",
        help="Of --until-decided: numbers of seeds at which hypotheses without `looks` are looked at (default: "
        "3,5,10).",
    ),
]


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """Options of `ablate run` that say how far it goes: which trials, what is done again, how many seeds."""

    only: OnlyOption = None
    retry_failed: RetryFailedOption = False
    restore_weights: RestoreOption = False
    rehearsal: RehearsalOption = None
    rehearse_only: RehearseOnlyOption = False
    until_decided: UntilDecidedOption = False
    max_gpu_hours: GpuHoursOption = None
    steps: StepsOption = None

    def applied_to(self, options: RunOptions) -> RunOptions:
        """Add to the options of a run which trials it runs, what it rehearses and what it does again."""
        return replace(
            options,
            only=tuple(self.only or ()),
            retry_failed=self.retry_failed,
            restore_weights=self.restore_weights,
            rehearsals=self.rehearsals(toy=options.plan.toy),
            max_gpu_hours=self._limit_of_all_runs(),
        )

    def _limit_of_all_runs(self) -> float | None:
        """Return the most that the study may spend in all; None for what it says itself.

        With --until-decided the option counts from its first use on, and replaces what the study says all the same.
        """
        if self.until_decided and self.max_gpu_hours is not None:
            return math.inf
        return self.max_gpu_hours

    def rehearsals(self, *, toy: bool) -> RehearsalChoice:
        """Read whether shapes of trials are rehearsed.

        Args:
            toy: the study is run in its toy form.

        Raises:
            InputError: options that do not go together.
        """
        is_refused = self.rehearsal is False
        if self.rehearse_only and (is_refused or self.until_decided):
            barred = "--no-rehearsal" if is_refused else "--until-decided"
            raise InputError(f"must be left out with {barred}", key="--rehearse-only")
        if self.rehearse_only:
            return "only"
        return "first" if self.rehearsal or (self.rehearsal is None and not toy) else "never"

    def limits(self) -> Limits | None:
        """Read how far seeds are added; None where none are.

        Raises:
            InputError: steps without --until-decided, or steps that are no ascending numbers from 2 on.
        """
        if not self.until_decided:
            if self.steps is not None:
                raise InputError("must come with --until-decided", key="--steps")
            return None
        from orchestrator.run_until_decided import Limits

        limits = Limits() if self.max_gpu_hours is None else Limits(self.max_gpu_hours)
        if self.steps is None:
            return limits
        numbers = [int(text) if text.strip().isdecimal() else 0 for text in self.steps.split(",")]
        if min(numbers) < 2 or sorted(set(numbers)) != numbers:
            law = f"must be ascending numbers of seeds from 2 on, such as 3,5,10, but got {self.steps}"
            raise InputError(law, key="--steps")
        return replace(limits, steps=tuple(numbers))


@dataclass(frozen=True, kw_only=True)
class PolicyOptions:
    """Options of commands that train, wherever: who is told, how many at a time, what is done about failures."""

    tracking_uri: TrackingOption = None
    offline: OfflineOption = False
    max_concurrent: ConcurrentOption = None
    interface: InterfaceOption = None
    launcher: LauncherOption = None
    may_come: MayComeOption = None
    retries: RetriesOption = 3
    equal_failures: EqualFailuresOption = 3
    on_storage_trouble: StorageTroubleOption = "pause"
    pause_at_most: PauseOption = None

    def storage_patience_s(self) -> float:
        """Choose how long to wait for storage: without limit where a person watches, unless a limit is given."""
        if self.on_storage_trouble == "exit":
            if self.pause_at_most is not None:
                raise InputError("must be left out with --on-storage-trouble exit", key="--pause-at-most")
            return 0.0
        if self.pause_at_most is not None:
            return self.pause_at_most * 60
        from orchestrator.running.storage_pause import PATIENCE_S

        return math.inf if sys.stderr.isatty() else PATIENCE_S


@dataclass(frozen=True, kw_only=True)
class RunningOptions(PolicyOptions):
    """Options of commands that train: also where it runs."""

    address: AddressOption = None
    cpus: CpusOption = None

    def run_options(self, plan: PlanOptions, study: str) -> RunOptions:
        """Turn the command line's options into those of a run.

        Args:
            plan: which trials, on which storage.
            study: a study file, or the name of a shipped study, for the command that sends it to a server later.
        """
        from cluster.demand import read_may_come
        from orchestrator.planning.planned import RunOptions

        return RunOptions(
            plan=plan,
            study=study,
            tracking_uri=self.tracking_uri,
            offline=self.offline,
            cpus=self.cpus,
            max_concurrent=self.max_concurrent,
            interface=self.interface,
            launcher=self.launcher,
            may_come=read_may_come(self.may_come) if self.may_come else (),
            retries=self.retries,
            equal_failures=self.equal_failures,
            storage_patience_s=self.storage_patience_s(),
        )
