"""Score every arm on the questions of each type, by the rules of the whole benchmark."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.analysis.examples import Examples, read_examples, verified_examples
from orchestrator.analysis.prior_rows import Prior
from orchestrator.analysis.signal import OF_THE_ARM
from orchestrator.analysis.study_scores import StudyScores
from orchestrator.reporting.asked_questions import question_groups
from orchestrator.reporting.cells import row_of
from orchestrator.reporting.report_model import FEWEST_QUESTIONS, TypeScores
from orchestrator.state.ledger import Ledger
from search_spaces.errors import InputError
from search_spaces.plan import Arm, Plan
from search_spaces.spec import BenchmarkSpec
from trainables.storage.store import Store

MOST_TYPES = 12
"""Types of one kind that are shown, those with the most questions."""


def type_scores(
    plan: Plan, arms: Sequence[Arm], store: Store, ledger: Ledger, scored: StudyScores
) -> tuple[TypeScores, ...]:
    """Score the types of questions of every benchmark that sorts its questions.

    Args:
        plan: whose trials are read.
        arms: in the order of the table.
        store: where their scores and the prepared questions lie.
        ledger: what storage holds of the trials.
        scored: scores of the whole benchmarks.

    Returns:
        For each benchmark, and each way in which its questions are sorted into two types or more.
    """
    found = list[TypeScores]()
    for benchmark in plan.benchmarks:
        if any((trial.id, benchmark.id) in ledger.evaluations for trial in plan.trials):
            found += _of_benchmark(benchmark, plan, arms, store, ledger, scored)
    return tuple(found)


def _of_benchmark(
    benchmark: BenchmarkSpec, plan: Plan, arms: Sequence[Arm], store: Store, ledger: Ledger, scored: StudyScores
) -> list[TypeScores]:
    try:
        every = question_groups(benchmark, store)
    except InputError:
        return []  # prepared data that are damaged: what reads scores names them
    groups = {name: every[name] for name in _scored_ids(benchmark, plan, scored) if name in every}
    sizes = _sizes(groups)
    if not sizes:
        return []
    names = [name for kind, counts in sizes.items() for name in (_name(kind, group) for group in counts)]
    by_type = StudyScores(tuple(names))
    by_type.trials = scored.trials
    priors = dict[str, tuple[Prior, ...]]()
    for trial in plan.trials:
        evaluation = ledger.evaluations.get((trial.id, benchmark.id))
        if evaluation is None or scored.scores.cell(trial.arm, trial.seed, benchmark.id) is None:
            continue
        examples = read_examples(verified_examples(store, evaluation))
        for kind, counts in sizes.items():
            parts = {group: _part(examples, groups, kind, group) for group in counts}
            if parts and kind not in priors and all(part.priors and part.ids for part in parts.values()):
                priors[kind] = _priors(list(parts.values()))
            for group, part in parts.items():
                if part.ids:
                    images = benchmark.source.declared
                    by_type.scores.add(
                        trial.arm, trial.seed, _name(kind, group), replace(part, priors={}), images=images
                    )
    counted = Counter((kind, group) for each in groups.values() for kind, group in each.items())
    return [
        TypeScores(
            benchmark=benchmark.id,
            kind=kind,
            types=tuple(counts),
            sizes=tuple(counts.values()),
            rows=tuple(row_of(arm, by_type, [_name(kind, group) for group in counts]) for arm in arms if counts),
            types_left_out=sum(key[0] == kind for key in counted) - len(counts),
            priors=priors.get(kind, ()),
        )
        for kind, counts in sizes.items()
    ]


def _scored_ids(benchmark: BenchmarkSpec, plan: Plan, scored: StudyScores) -> tuple[str, ...]:
    """List the questions that count, of the first trial that has scores."""
    cells = (scored.scores.cell(trial.arm, trial.seed, benchmark.id) for trial in plan.trials)
    return next((cell.frame.ids for cell in cells if cell is not None), ())


def _sizes(groups: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, int]]:
    """Count the questions of the types that are shown, by kind: most first, equal ones by name.

    Of kinds that sort the questions alike, under whatever names, the first stays. A kind of several types of which
    fewer than two have enough questions has none.
    """
    every = Counter((kind, group) for each in groups.values() for kind, group in each.items())
    sizes, seen = dict[str, dict[str, int]](), set[frozenset[frozenset[str]]]()
    for kind in dict.fromkeys(kind for kind, _ in every):
        members = defaultdict[str, set[str]](set)
        for name, each in groups.items():
            if kind in each:
                members[each[kind]].add(name)
        parts = frozenset(map(frozenset, members.values()))
        if parts in seen:
            continue
        seen.add(parts)
        counts = {group: n for (other, group), n in every.items() if other == kind and n >= FEWEST_QUESTIONS}
        largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_TYPES]
        if len(members) > 1:
            sizes[kind] = dict(largest) if len(largest) > 1 else {}
    return sizes


def _part(examples: Examples, groups: Mapping[str, Mapping[str, str]], kind: str, group: str) -> Examples:
    """Select the examples of one type."""
    chosen = [n for n, name in enumerate(examples.ids) if groups.get(name, {}).get(kind) == group]
    return Examples(
        tuple(examples.ids[n] for n in chosen),
        tuple(examples.clusters[n] for n in chosen),
        examples.scores[chosen],
        {name: scores[chosen] for name, scores in examples.priors.items()},
    )


def _priors(parts: Sequence[Examples]) -> tuple[Prior, ...]:
    """Score what needs no image and is the same for all arms on each type, lowest first; of equal lines the first."""
    lines = dict[tuple[float, ...], Prior]()
    for name in parts[0].priors:
        if name not in OF_THE_ARM:
            values = tuple(100 * float(part.priors[name].mean()) for part in parts)
            shown = tuple(round(value, 1) for value in values)
            lines.setdefault(shown, Prior(name, values, sum(values) / len(values)))
    return tuple(sorted(lines.values(), key=lambda prior: prior.mean or 0.0))


def _name(kind: str, group: str) -> str:
    return f"{kind}={group}"
