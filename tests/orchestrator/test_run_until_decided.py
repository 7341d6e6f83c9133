"""Seeds are added look by look until claims are decided; what was added is kept, and a killed run goes on there."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.planning.planned import PlanOptions, RunOptions, expand, plan
from orchestrator.planning.preflight import Digests
from orchestrator.reporting.build import build_report
from orchestrator.run_study import StudyRun, write_documents
from orchestrator.run_until_decided import Limits, run_until_decided
from orchestrator.running.attempts import Outcomes
from orchestrator.state.added_seeds import AddedSeeds, read_added
from orchestrator.state.claims import read_claims
from orchestrator.state.difference import compare
from orchestrator.state.ledger import gpu_seconds, read_ledger
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from tests.support.stored_studies import finish_trial, key_of, noisy_answers
from trainables.storage.store import LocalStore

STUDY = """\
extends: quickstart
study: claims
axes: null
design: list
arms: {tied: {vision.tokens: 1}, lower: {vision.resolution: 16}}
seeds: [7, 8]
benchmarks: [easy-vqa-shape]
hypotheses:
  - {id: same, claim: One token is as good, pairs: [[base, tied]], on: all, expect: equivalent, margin: 1.1}
  - {id: worse, claim: 16 px are worse, pairs: [[base, lower]], on: all, expect: worse}
"""
ACCURACIES = {"base": [0.7], "tied": [0.7], "lower": [0.4]}
COST_S = 14.0
"""Of every trial that `finish_trial` writes."""


class KilledError(Exception):
    """The run is gone, as after kill -9."""


class Trainer:
    """Stands for `run_study`: finishes trials with answers that follow from arm and seed, until it is killed."""

    def __init__(self, killed_after: int | None = None, guessing: tuple[str, ...] = ()):
        self.trained: list[str] = []
        self._killed_after, self._guessing = killed_after, guessing

    def __call__(self, name: str, options: RunOptions, console: Console) -> StudyRun:
        study, store = load_study(name), LocalStore(options.plan.storage)
        expansion = expand(study, options.plan)
        missing = {
            name for node in plan(expansion, options.plan, Digests({}, {})).nodes.values() for name in node.missing
        }
        planned = plan(expansion, options.plan, Digests({name: key_of(name) for name in missing}, {}))
        before, selected = read_ledger(planned, store), frozenset(trial.id for trial in planned.trials)
        write_documents(study, planned, before, store, options.up_to_seeds)
        outcomes = self._train(planned, options.gpu_seconds_left, store)
        ledger = read_ledger(planned, store)
        return StudyRun(
            study,
            planned,
            difference=compare(planned, before, store, selected),
            report=build_report(study, planned, store, ledger, "run"),
            ledger=ledger,
            outcomes=outcomes,
            tracking=None,
            selected=selected,
        )

    def _train(self, planned: Plan, left_s: float, store: LocalStore) -> Outcomes:
        spent_s = 0.0
        for trial in planned.trials:
            if read_ledger(planned, store).trials[trial.id].state == "done":
                continue
            if spent_s >= left_s:
                return Outcomes(budget_spent=True)
            if self._killed_after is not None and len(self.trained) == self._killed_after:
                raise KilledError
            answers = noisy_answers(ACCURACIES, trial.arm, trial.seed, benchmarks=["easy-vqa-shape"])
            silent = ["easy-vqa-shape"] if trial.arm in self._guessing else []
            finish_trial(store, planned, trial, answers, constant=silent)
            self.trained.append(trial.id)
            spent_s += COST_S
        return Outcomes()


def _run(  # type: ignore[no-untyped-def]
    folder: Path, trainer: Trainer, gpu_hours: float = 10.0, steps: tuple[int, ...] = (3, 4, 6), further: str = ""
):
    study, shown = folder / "claims.yaml", io.StringIO()
    study.write_text(STUDY + further)
    storage = folder / "storage"
    options = RunOptions(plan=PlanOptions(storage=storage, data=storage / "sources"), study=str(study))
    run = run_until_decided(str(study), options, Limits(gpu_hours, steps), Console(file=shown, width=200), trainer)
    return run, shown.getvalue().splitlines()


def _added(folder: Path) -> AddedSeeds:
    added = read_added(LocalStore(folder / "storage"), "claims")
    assert added is not None
    return added


def test_only_arms_of_open_claims_get_seeds_until_nothing_is_open(tmp_path: Path) -> None:
    run, lines = _run(tmp_path, Trainer())
    added = _added(tmp_path)
    assert added.steps[-1].hypotheses == ("same",)
    assert set(added.steps[-1].seeds) == {"base", "tied"}
    assert not run.is_out_of_budget
    assert [line for line in lines if line.endswith("worse is decided with 3 seeds: worse, the claim holds")]
    assert sum(line.startswith("look") and " added, seeds by arm: " in line for line in lines) == len(added.steps)
    assert run.last.report.verdicts.verdicts[0].n_seeds == 2 + len(added.by_arm["tied"])


def test_every_step_is_one_look_and_looks_up_to_the_last_one_were_planned_before_the_first(tmp_path: Path) -> None:
    run, _ = _run(tmp_path, Trainer())
    same, worse = run.last.report.verdicts.verdicts
    assert [len(look.seeds) for look in same.looks] == [2, 3, 4, 6][: len(_added(tmp_path).steps) + 1]
    assert [len(look.seeds) for look in worse.looks] == [2, 3], "its seeds stayed the same: no later look was new"
    claims = read_claims(LocalStore(tmp_path / "storage"), "claims").values()
    assert {(claim.seeds, claim.trials_scored) for claim in claims} == {(6, 0)}


def test_a_run_that_is_killed_anywhere_goes_on_to_the_same_seeds(tmp_path: Path) -> None:
    whole = Trainer()
    (tmp_path / "whole").mkdir()
    _run(tmp_path / "whole", whole)
    for killed_after in (3, 7, len(whole.trained) - 1):
        folder = tmp_path / str(killed_after)
        folder.mkdir()
        first, second = Trainer(killed_after), Trainer()
        with pytest.raises(KilledError):
            _run(folder, first)
        _run(folder, second)
        assert _added(folder) == _added(tmp_path / "whole")
        assert [*first.trained, *second.trained] == whole.trained


def test_every_command_on_that_storage_plans_the_added_seeds_and_no_other_storage_does(tmp_path: Path) -> None:
    run, _ = _run(tmp_path, Trainer())
    study = load_study(str(tmp_path / "claims.yaml"))
    seeds = {}
    for name in ("storage", "elsewhere"):
        options = PlanOptions(storage=tmp_path / name, data=tmp_path)
        seeds[name] = plan(expand(study, options), options, Digests({}, {})).seeds_by_arm()
    assert seeds["storage"] == run.last.plan.seeds_by_arm()
    assert set(seeds["elsewhere"].values()) == {(7, 8)}


def test_seeds_that_were_added_may_be_written_into_the_file_and_stand_there_once(tmp_path: Path) -> None:
    run, _ = _run(tmp_path, Trainer())
    seeds = run.last.plan.seeds_by_arm()
    written = load_study(str(tmp_path / "claims.yaml"), [f"seeds={ {arm: list(own) for arm, own in seeds.items()} }"])
    options = PlanOptions(storage=tmp_path / "storage", data=tmp_path)
    planned = plan(expand(written, options), options, Digests({}, {}))
    assert planned.seeds_by_arm() == seeds
    assert not any(planned.added_seeds.values())


def test_a_study_that_was_looked_at_before_has_little_left_to_decide_with(tmp_path: Path) -> None:
    study, storage = tmp_path / "claims.yaml", tmp_path / "storage"
    study.write_text(STUDY)
    options = RunOptions(plan=PlanOptions(storage=storage, data=storage / "sources"), study=str(study))
    Trainer()(str(study), options, Console(file=io.StringIO()))
    _, late = _run(tmp_path, Trainer())
    (tmp_path / "new").mkdir()
    _, early = _run(tmp_path / "new", Trainer())
    odds = [
        next(int(part.split(" %")[0].split()[-1]) for part in lines if part.startswith("look 1: same") and " %" in part)
        for lines in (late, early)
    ]
    assert odds[0] < odds[1]


def test_a_claim_is_silent_only_where_all_of_its_arms_guess(tmp_path: Path) -> None:
    _, lines = _run(tmp_path, Trainer(guessing=("lower",)))
    assert not any("worse shows no signal" in line for line in lines)
    assert any("worse is decided with" in line and "worse, the claim holds" in line for line in lines)
    (tmp_path / "all").mkdir()
    _, lines = _run(tmp_path / "all", Trainer(guessing=("base", "tied", "lower")))
    assert [line.partition(" ")[2] for line in lines[:2]] == [
        "1: same shows no signal: more seeds decide nothing",
        "1: worse shows no signal: more seeds decide nothing",
    ]


def test_a_budget_stops_between_looks_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    hours = 7.9 * COST_S / 3600  # six trials of the study, and not the two of the next look
    run, lines = _run(tmp_path, Trainer(), hours)
    assert run.is_out_of_budget
    assert "stopped by the budget" in lines[-1]
    assert _added(tmp_path).steps == ()
    more, _ = _run(tmp_path, Trainer())
    assert not more.is_out_of_budget
    assert _added(tmp_path).steps


def test_a_budget_that_ends_within_the_study_leaves_trials_and_counts_from_its_first_use_on(tmp_path: Path) -> None:
    trainer = Trainer()
    run, lines = _run(tmp_path, trainer, 4 * COST_S / 3600)
    assert lines[-1].startswith("stopped by the budget before the next look")
    assert lines[-1].endswith("2 trials left")
    assert run.is_out_of_budget
    assert len(trainer.trained) == 4
    assert gpu_seconds(run.last.ledger) == 4 * COST_S
    again = Trainer()
    _run(tmp_path, again, 4 * COST_S / 3600)
    assert again.trained == []


def test_what_cannot_be_run_until_decided_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    path.write_text("extends: quickstart\nstudy: none\nhypotheses: []\n")
    options = RunOptions(plan=PlanOptions(storage=tmp_path / "s", data=tmp_path))
    with pytest.raises(InputError, match="must have hypotheses"):
        run_until_decided(str(path), options, Limits(), Console(), Trainer())
    limited = replace(options, plan=replace(options.plan, limit=1))
    with pytest.raises(InputError, match="must be left out with --until-decided"):
        run_until_decided("quickstart", limited, Limits(), Console(), Trainer())


def test_the_budget_of_the_study_ends_seeds_too_and_the_option_takes_its_place(tmp_path: Path) -> None:
    own = f"budget: {{gpu_hours: {4 * COST_S / 3600}}}\n"
    for name, hours, trained in (("own", math.inf, 4), ("option", 5 * COST_S / 3600, 5)):
        (tmp_path / name).mkdir()
        trainer = Trainer()
        run, lines = _run(tmp_path / name, trainer, hours, further=own)
        assert run.is_out_of_budget
        assert lines[-1].startswith("stopped by the budget before the next look")
        assert len(trainer.trained) == trained
