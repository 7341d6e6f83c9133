"""Check that hypotheses and seeds name arms and benchmarks of their study."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.catalogue.load import shipped
from search_spaces.claims import legal_on
from search_spaces.errors import InputError, nearest
from search_spaces.plan import Exclusion
from search_spaces.spec import BenchmarkSpec
from search_spaces.study import Study
from search_spaces.yaml_source import KeyPath


def check_references(
    study: Study,
    arms: Sequence[str],
    excluded: Sequence[Exclusion],
    benchmarks: Sequence[BenchmarkSpec],
    problems: list[InputError],
) -> None:
    """Hypotheses and seeds must speak of arms and benchmarks that are there."""
    legal, out = set(arms), {exclusion.arm for exclusion in excluded}

    def check_arm(name: str, path: KeyPath) -> None:
        if name in out:
            problems.append(study.problem(path, f"must name an arm of the study, but {name!r} is excluded"))
        elif name not in legal:
            shown = ", ".join(arms[:20]) + (", ..." if len(arms) > 20 else "")
            way_out = nearest(name, arms)
            problems.append(study.problem(path, f"must name an arm of the study ({shown}), but got {name!r}", way_out))

    ids = [benchmark.id for benchmark in benchmarks]
    on = legal_on(ids, {**shipped().suites, **study.suites})
    seen: set[str] = set()
    for number, hypothesis in enumerate(study.hypotheses):
        path: KeyPath = ("hypotheses", number)
        if hypothesis.id in seen:
            problems.append(study.problem((*path, "id"), f"ids must differ, but {hypothesis.id!r} is there twice"))
        seen.add(hypothesis.id)
        for row, pair in enumerate(hypothesis.pairs):
            for side, name in enumerate(pair):
                check_arm(name, (*path, "pairs", row, side))
            if pair[0] == pair[1]:
                law = f"a contrast must be of two arms, but both are {pair[0]!r}"
                problems.append(study.problem((*path, "pairs", row), law))
        for row, one in enumerate(hypothesis.on):
            if one not in on:
                law = f"must be all, or a benchmark or suite of the study ({', '.join(on[1:])}), but got {one!r}"
                problems.append(study.problem((*path, "on", row), law, nearest(one, on)))
        if not ids:
            law = "a study with hypotheses must have benchmarks, but it has none"
            problems.append(study.problem(("benchmarks",), law))
    for name, seeds in study.seeds.items():
        if name != "default":
            check_arm(name, ("seeds", name))
        if len(set(seeds)) < len(seeds):
            law = f"the seeds of an arm must differ, but got {', '.join(map(str, seeds))}"
            problems.append(study.problem(("seeds", name), law))
    if "default" not in study.seeds:
        without = [name for name in arms if name not in study.seeds and name not in out]
        if without:
            law = f"every arm must have seeds, but {without[0]!r} has none"
            problems.append(study.problem(("seeds",), law, "Add `default`."))
