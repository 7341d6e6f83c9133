"""What storage holds of a study's scores, ready for effects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.analysis.examples import is_mostly_unread, is_no_signal, read_examples, unread_note
from orchestrator.analysis.scores import Scores
from orchestrator.state.ledger import Ledger, TrialEntry
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.plan import Plan
from trainables.storage.store import Store


@dataclass
class StudyScores:
    """Scores of all usable cells, and the trials of each arm. Diverged trials have no scores that could be compared."""

    benchmarks: tuple[str, ...]
    scores: Scores = field(default_factory=Scores)
    trials: dict[str, list[TrialEntry]] = field(default_factory=lambda: defaultdict(list))
    """Arm -> its trials, in plan order."""
    no_signal: dict[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    """(arm, benchmark) -> seeds whose model gives one answer throughout, scores like the majority answer, or gives
    answers of which more than half could not be read."""
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
            ledger: what storage holds of them.
        """
        scored = StudyScores(tuple(benchmark.id for benchmark in plan.benchmarks))
        for entry in ledger.trials.values():
            scored.trials[entry.arm].append(entry)
        for trial in plan.trials:
            for benchmark in plan.benchmarks:
                evaluation = ledger.evaluations.get((trial.id, benchmark.id))
                if evaluation is None or ledger.trials[trial.id].is_diverged:
                    continue
                try:
                    examples = read_examples(store.reading(evaluation.examples))
                    silent = is_no_signal(evaluation, 100 * float(examples.scores.mean()))
                    images = benchmark.source.declared
                    scored.scores.add(
                        trial.arm, trial.seed, benchmark.id, examples, images=images, has_signal=not silent
                    )
                except InputError as error:
                    scored.problems.append(f"{trial.id} on {benchmark.id}: {first_line(error)}")
                    continue
                cell = (trial.arm, trial.seed, benchmark.id)
                scored.asked[cell] = evaluation.asked, evaluation.protocol
                scored.scoring_seconds[cell] = evaluation.gpu_seconds
                if evaluation.best_reachable is not None:
                    scored.best_reachable[benchmark.id] = evaluation.best_reachable
                key = trial.arm, benchmark.id
                if (note := unread_note(evaluation)) is not None:
                    scored.unread.setdefault(key, note)
                if is_mostly_unread(evaluation):
                    scored.mostly_unread.add(key)
                    scored.unread[key] = note or ""
                if silent or is_mostly_unread(evaluation):
                    scored.no_signal[key] = (*scored.no_signal.get(key, ()), trial.seed)
        return scored
