"""What storage holds of a study's scores, ready for effects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from orchestrator.analysis.blind_scores import BlindScores
from orchestrator.analysis.examples import Examples, is_mostly_unread, read_examples, unread_note, verified_examples
from orchestrator.analysis.scores import Scores
from orchestrator.analysis.signal import BLANK, Signal, signal_of
from orchestrator.state.ledger import Ledger, TrialEntry
from orchestrator.state.used_devices import device_used
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.expansion.blind_run import OTHER_IMAGES
from search_spaces.identity import fingerprint
from search_spaces.plan import Plan, PlannedTrial
from search_spaces.quantities import Device
from search_spaces.spec import BenchmarkSpec, ShownImages
from trainables.benchmarks.priors import BEST_CONSTANT
from trainables.benchmarks.reading_notes import TELLING_SHARE
from trainables.storage.records import EvaluationResult
from trainables.storage.store import Store


@dataclass
class StudyScores:
    """Scores of all usable cells, and the trials of each arm. Diverged trials have no scores that could be compared."""

    benchmarks: tuple[str, ...]
    scores: Scores = field(default_factory=Scores)
    trials: dict[str, list[TrialEntry]] = field(default_factory=lambda: defaultdict(list))
    """Arm -> its trials, in plan order."""
    no_signal: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    """(arm, benchmark) -> seeds without a signal: all where the arm shows none (`signal`), else those whose model gives
    one answer throughout, or answers of which more than half could not be read."""
    signals: dict[tuple[str, str], Signal] = field(default_factory=dict)
    """(arm, benchmark) -> what the arm shows against what needs no image, where that is known."""
    unparsable: dict[tuple[str, int, str], float] = field(default_factory=dict)
    """(arm, seed, benchmark) -> share of answers that could not be read, 0 to 1."""
    unread: dict[tuple[str, str], str] = field(default_factory=dict)
    """(arm, benchmark) -> how many answers could not be read, of the first seed for which it is more than a tenth."""
    mostly_unread: set[tuple[str, str]] = field(default_factory=set)
    """(arm, benchmark) with a seed of which more than half of the answers could not be read."""
    best_reachable: dict[str, float] = field(default_factory=dict)
    """Benchmark -> what a perfect model gets, in points, where its results say so."""
    asked: dict[tuple[str, int, str], tuple[str, str]] = field(default_factory=dict)
    """(arm, seed, benchmark) -> key of what was asked, and protocol."""
    scoring_seconds: dict[tuple[str, int, str], float] = field(default_factory=dict)
    """(arm, seed, benchmark) -> GPU-seconds of scoring."""
    device: Device = "GPU"
    """What seconds are of."""
    blind: BlindScores = field(default_factory=BlindScores)
    """Scores with and without images, of what was also asked blind."""
    problems: list[str] = field(default_factory=list)
    """Results that are on storage and could not be used."""

    def common_seeds(self, arms: Iterable[str], benchmarks: Sequence[str]) -> list[int]:
        """List the seeds that all of these arms have trials of, done or not, sorted; each is to have all benchmarks."""
        return sorted(set.intersection(*({entry.seed for entry in self.trials.get(arm, ())} for arm in arms)))

    @staticmethod
    def of(plan: Plan, store: Store, ledger: Ledger) -> StudyScores:
        """Read the scores of all usable cells from storage.

        Args:
            plan: whose trials are read.
            store: where their results lie.
            ledger: what storage holds of them.
        """
        scored = StudyScores(tuple(benchmark.id for benchmark in plan.benchmarks), device=device_used(plan, store))
        for entry in ledger.trials.values():
            scored.trials[entry.arm].append(entry)
        for arm in dict.fromkeys(trial.arm for trial in plan.trials):
            trials = [trial for trial in plan.trials if trial.arm == arm]
            for benchmark in plan.benchmarks:
                constant = [trial.seed for trial in trials if scored._add(trial, benchmark, store, ledger)]
                scored.judge_signal(arm, benchmark.id, constant)
        return scored

    def _add(self, trial: PlannedTrial, benchmark: BenchmarkSpec, store: Store, ledger: Ledger) -> bool:
        """Add what storage holds of a trial's scores on a benchmark; tell whether it gave one answer throughout."""
        evaluation = ledger.evaluations.get((trial.id, benchmark.id))
        if evaluation is None or ledger.trials[trial.id].is_diverged:
            return False
        images = benchmark.source.declared
        try:
            examples = _with_priors(read_examples(verified_examples(store, evaluation)), evaluation)
            examples = self._with_blind_prior(examples, trial, benchmark, store, ledger)
            self.scores.add(trial.arm, trial.seed, benchmark.id, examples, images=images)
        except InputError as error:
            self.problems.append(f"{trial.id} on {benchmark.id}: {first_line(error)}")
            return False
        cell, key = (trial.arm, trial.seed, benchmark.id), (trial.arm, benchmark.id)
        self.asked[cell] = evaluation.asked, evaluation.protocol
        self.scoring_seconds[cell] = evaluation.gpu_seconds
        self.unparsable[cell] = evaluation.unparsable / evaluation.n
        if evaluation.best_reachable is not None:
            self.best_reachable[benchmark.id] = evaluation.best_reachable
        if (note := unread_note(evaluation)) is not None:
            self.unread.setdefault(key, note)
        if is_mostly_unread(evaluation):
            self.mostly_unread.add(key)
            self.unread[key] = note or ""
        return evaluation.constant

    def _with_blind_prior(
        self, examples: Examples, trial: PlannedTrial, benchmark: BenchmarkSpec, store: Store, ledger: Ledger
    ) -> Examples:
        """Keep what the trial scores with other images; add to its own scores those with a blank one, as a prior.

        Args:
            examples: scores with their own images.
            trial: whose they are.
            benchmark: that they are of.
            store: storage of the scores.
            ledger: what storage holds of the trials.
        """
        names = {images: benchmark.model_copy(update={"images": images}).name for images in OTHER_IMAGES}
        results = {images: ledger.blind.get((trial.id, name)) for images, name in names.items()}
        blind: dict[ShownImages, Examples] = {}
        for images, result in results.items():
            if result is not None:
                try:
                    blind[images] = read_examples(verified_examples(store, result))
                except InputError as error:
                    self.problems.append(f"{trial.id} on {names[images]}: {first_line(error)}")
        if blind:
            shown: dict[ShownImages, Examples] = {"own": examples, **blind}
            self.blind.add(trial.arm, trial.seed, benchmark.id, shown, benchmark.source.declared)
        if "blank" not in blind or set(blind["blank"].ids) != set(examples.ids):
            return examples
        by_id = dict(zip(blind["blank"].ids, blind["blank"].scores.tolist(), strict=True))
        return replace(examples, priors={**examples.priors, BLANK: np.array([by_id[name] for name in examples.ids])})

    def judge_signal(self, arm: str, benchmark: str, constant: Collection[int] = ()) -> None:
        """Judge whether an arm shows a signal on a benchmark, once the scores of all its seeds are added.

        Args:
            arm: of the scores.
            benchmark: its id.
            constant: seeds whose model gave one answer throughout.
        """
        cells = self.scores.cells_of(arm, benchmark)
        signal = signal_of(list(cells.values()))
        if signal is not None:
            self.signals[arm, benchmark] = signal
        is_silent = signal is not None and not signal.is_shown
        unread = [seed for seed in cells if self.unparsable.get((arm, seed, benchmark), 0.0) > TELLING_SHARE]
        silent = tuple(seed for seed in cells if is_silent or seed in constant or seed in unread)
        if silent:
            self.no_signal[arm, benchmark] = silent
        self.scores.settle_signal(arm, benchmark, silent)


def _with_priors(examples: Examples, evaluation: EvaluationResult) -> Examples:
    """Add the priors whose score is known as a mean alone, as that of results of earlier versions is."""
    known = evaluation.priors or {BEST_CONSTANT: evaluation.majority}
    means = {name: np.full(len(examples.ids), points / 100) for name, points in known.items()}
    return replace(examples, priors={**means, **examples.priors})


def scores_digest(scores: Scores, arms: Sequence[str], seeds: Sequence[int], benchmarks: Sequence[str]) -> str:
    """Digest the mean scores of arms, by which a look at them is known again.

    Args:
        scores: of the study.
        arms: that are looked at.
        seeds: with which.
        benchmarks: on which.
    """
    cells = [
        [arm, seed, name, cell.mean if cell is not None else None]
        for arm in sorted(arms)
        for seed in sorted(seeds)
        for name in benchmarks
        for cell in (scores.cell(arm, seed, name),)
    ]
    return fingerprint(cells)
