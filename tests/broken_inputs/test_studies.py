"""Studies broken in known ways: each is planned as it was meant, or refused at its place, and ways out lead out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.study_files import find_study
from search_spaces.yaml_source import KeyPath, read
from tests.support.broken_inputs import tries
from tests.support.study_follower import following, problems_and_plan

BASE: dict[str, Any] = {
    "study": "wild",
    "base": {
        "vision": {"backbone": "efficientnet-lite0", "resolution": 64, "resize": "naive"},
        "projector": "gelu-mlp",
        "language": "llama-2x96",
        "stages": ["finetune"],
        "epochs": 1,
        "data": "easy-vqa-1500",
    },
    "recipe": "quickstart",
    "seeds": [7, 8],
    "benchmarks": "easy-vqa",
}

LR = "recipe.finetune.optimizer.lr"
FIELDS: dict[str, list[Any]] = {
    LR: [0.5, 0.25],
    "vision.tokens": [1, 4],
    "vision.resize": ["letterbox", "crop"],
    "epochs": [2, 3],
    "projector.depth": [3, 5],
    "recipe.finetune.schedule.warmup_ratio": [0.125, 0.25],
    "data": ["easy-vqa-1500-no-negation", "easy-vqa-1500"],
}
"""Fields with two values each."""
OF_BASE = {"4", "easy-vqa-1500"}
"""Those that are the base's, and no arm of their own."""

Dialect = Callable[[list[Any]], Any]

LISTS: dict[str, Dialect] = {
    "wandb values": lambda values: {"values": values},
    "wandb categorical": lambda values: {"distribution": "categorical", "values": values},
    "wandb probabilities": lambda values: {"values": values, "probabilities": [0.5, 0.5]},
    "hydra choice": lambda values: f"choice({_args(values)})",
    "hydra choice in a list": lambda values: [f"choice({_args(values)})"],
    "hydra comma": lambda values: _args(values),
    "hydra tag": lambda values: f"tag(t1, choice({_args(values)}))",
    "tune choice": lambda values: f"tune.choice([{_args(values)}])",
    "tune grid": lambda values: {"grid_search": values},
    "nni choice": lambda values: {"_type": "choice", "_value": values},
    "katib list": lambda values: {"parameterType": "categorical", "feasibleSpace": {"list": values}},
    "vertex": lambda values: {"categorical_value_spec": {"values": values}},
    "optuna": lambda values: {"type": "categorical", "choices": values},
    "tuple": lambda values: f"({_args(values)})",
    "list in quotes": lambda values: f"[{_args(values)}]",
    "maps of one value": lambda values: [{"value": value} for value in values],
}
"""Ways in which other tools list values."""

RANGES: dict[str, Dialect] = {
    "wandb": lambda ends: {"min": ends[0], "max": ends[1]},
    "wandb log": lambda ends: {"distribution": "log_uniform_values", "min": ends[0], "max": ends[1]},
    "wandb q": lambda ends: {"distribution": "q_uniform", "min": ends[0], "max": ends[1], "q": 1},
    "optuna": lambda ends: {"type": "float", "low": ends[0], "high": ends[1], "log": True},
    "optuna short": lambda ends: {"low": ends[0], "high": ends[1]},
    "numpy": lambda ends: {"start": ends[0], "stop": ends[1], "num": 3},
    "hydra interval": lambda ends: f"interval({ends[0]}, {ends[1]})",
    "hydra tag": lambda ends: f"tag(log, interval({ends[0]}, {ends[1]}))",
    "tune": lambda ends: f"tune.loguniform({ends[0]}, {ends[1]})",
    "tune in a list": lambda ends: [f"tune.uniform({ends[0]}, {ends[1]})"],
    "katib": lambda ends: {"feasibleSpace": {"min": str(ends[0]), "max": str(ends[1])}},
    "nni": lambda ends: {"_type": "uniform", "_value": ends},
    "vertex": lambda ends: {"double_value_spec": {"min_value": ends[0], "max_value": ends[1]}},
    "sagemaker": lambda ends: {"MinValue": ends[0], "MaxValue": ends[1], "ScalingType": "Auto"},
    "scipy": lambda ends: {"uniform": ends},
    "suggest": lambda ends: f"trial.suggest_float('x', {ends[0]}, {ends[1]})",
}
"""Ways in which other tools write ranges."""

AROUND: dict[str, Callable[[str, Any], dict[str, Any]]] = {
    "wandb sweep": lambda name, space: {"method": "grid", "parameters": {name: space}},
    "matrix": lambda name, space: {"matrix": {name: space}},
    "hydra sweeper": lambda name, space: {"hydra": {"sweeper": {"params": {name: space}}}},
    "nni": lambda name, space: {"searchSpace": {name: space}},
    "ray": lambda name, space: {"param_space": {name: space}},
    "list of parameters": lambda name, space: {
        "parameters": [{"name": name, **(space if isinstance(space, dict) else {"values": space})}]
    },
}
"""Where other tools put them in a file."""


def _args(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values)


def _write(folder: Path, tree: Any, name: str = "study.yaml") -> Path:
    path = folder / name
    path.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree, sort_keys=False))
    return path


def _refused(path: Path, folder: Path) -> list[Any]:
    """Check that a study is refused, at places in it, and return the problems."""
    problems, plan = problems_and_plan(path)
    assert plan is None, f"accepted: {[arm.name for arm in plan.arms] if plan else ''}\n{path.read_text()}"
    for problem in problems:
        assert problem.law
        assert (problem.place or "").startswith(str(folder)), str(problem)
    return problems


def _check_ways_out(path: Path, folder: Path) -> None:
    """Follow every suggestion: the study is then legal, or has other problems than before."""
    text = path.read_text()
    problems, _ = problems_and_plan(path)
    for problem in problems:
        before = _names([problem])
        for suggestion, other in following(text, problem):
            after, _ = problems_and_plan(_write(folder, other, "followed.yaml"))
            assert not before & _names(after), f"{problem}\n-> {suggestion}\n{after[0]}\n{other}"


def _names(problems: list[Any]) -> set[tuple[str, str]]:
    return {(str(problem.key), problem.law) for problem in problems}


def _labels(path: Path, axis: str) -> set[str]:
    problems, plan = problems_and_plan(path)
    assert plan is not None, [str(problem) for problem in problems]
    return {arm.values[axis] for arm in plan.arms if arm.name != "base"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studies")


@tries("studies", few=80)
@given(st.sampled_from(sorted(FIELDS)), st.sampled_from(sorted(LISTS)), st.sampled_from(["", *sorted(AROUND)]))
def test_values_in_another_tools_words_are_refused_and_shown_as_they_are_written_here(
    folder: Path, field: str, dialect: str, around: str
) -> None:
    space = LISTS[dialect](FIELDS[field])
    if around and dialect == "hydra comma":
        return
    tree = {**BASE, **(AROUND[around](field, space) if around else {"axes": {field: space}})}
    path = _write(folder, tree)
    problems = _refused(path, folder)
    _check_ways_out(path, folder)
    wrong = next(problem for problem in problems if "Write" in (problem.way_out or ""))
    for _, text in following(path.read_text(), wrong):
        follower = _write(folder, text.replace("method: grid\n", ""), "followed.yaml")
        assert _labels(follower, field) == set(map(str, FIELDS[field])) - OF_BASE


@pytest.mark.parametrize(
    "field", sorted(field for field, values in FIELDS.items() if isinstance(values[0], int | float))
)
@pytest.mark.parametrize("blanks", [" ", "  ", " \t "])
def test_numbers_that_blanks_part_are_refused_and_shown_as_a_list(folder: Path, field: str, blanks: str) -> None:
    path = _write(folder, {**BASE, "axes": {field: blanks.join(map(str, FIELDS[field]))}})
    (problem,) = _refused(path, folder)
    for _, text in following(path.read_text(), problem):
        assert _labels(_write(folder, text, "followed.yaml"), field) == set(map(str, FIELDS[field])) - OF_BASE


@tries("studies", few=40)
@given(
    st.sampled_from([LR, "recipe.finetune.schedule.warmup_ratio", "epochs"]),
    st.sampled_from(sorted(RANGES)),
    st.sampled_from(["", *sorted(AROUND)]),
)
def test_ranges_are_refused_and_their_ends_are_shown(folder: Path, field: str, dialect: str, around: str) -> None:
    space = RANGES[dialect](FIELDS[field])
    if around == "list of parameters" and not isinstance(space, dict):
        return
    path = _write(folder, {**BASE, **(AROUND[around](field, space) if around else {"axes": {field: space}})})
    _refused(path, folder)
    _check_ways_out(path, folder)


def _nested(dotted: str, values: Any, depth: int) -> dict[str, Any]:
    """Nest the first parts of a dotted path as maps."""
    parts = dotted.split(".")
    for part in reversed([*parts[:depth], ".".join(parts[depth:])]):
        values = {part: values}
    return values  # type: ignore[no-any-return]


@tries("studies", few=30)
@given(st.sampled_from([field for field in FIELDS if "." in field]), st.integers(1, 3), st.sampled_from(["", "base"]))
def test_nested_axes_are_refused_and_shown_with_dotted_paths(folder: Path, field: str, depth: int, root: str) -> None:
    axes = _nested(field, FIELDS[field], min(depth, field.count(".")))
    path = _write(folder, {**BASE, "axes": {root: axes} if root else axes})
    (problem,) = _refused(path, folder)
    ((_, text),) = following(path.read_text(), problem)
    assert _labels(_write(folder, text, "followed.yaml"), field) == set(map(str, FIELDS[field])) - OF_BASE


# ---------------------------------------------------------------- extends and seeds

SEEDS = st.one_of(
    st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
    st.dictionaries(
        st.sampled_from(["default", "base", "epochs=2"]),
        st.lists(st.integers(0, 9), min_size=1, max_size=2, unique=True),
        min_size=1,
    ),
    st.none(),
)


def _laid(low: Any, high: Any) -> Any:
    """Lay seeds on seeds: a list stands for every arm, a map is laid on what there is."""
    if high is None:
        return low
    long = high if isinstance(high, dict) else {"default": high}
    return {**low, **long} if isinstance(high, dict) else long


@tries("studies", few=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "seeds": SEEDS,
                "horizon": st.sampled_from([None, ("epochs", 2), ("max_steps", 5)]),
                "vision": st.sampled_from([None, "efficientnet-lite0", {"resize": "crop"}, {"resolution": 32}]),
            }
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_chain_of_studies_is_what_its_files_say_together(folder: Path, layers: list[dict[str, Any]]) -> None:
    _write(folder, {**BASE, "axes": {"vision.weights": ["pretrained", "random"]}}, "chain-0.yaml")
    seeds: dict[str, list[int]] = {"default": [7, 8]}
    horizon: tuple[str, int] = ("epochs", 1)
    vision = dict(BASE["base"]["vision"])
    for number, layer in enumerate(layers, 1):
        wanted = {**(layer["seeds"] if isinstance(layer["seeds"], dict) else {})}
        wanted.pop("epochs=2", None)
        layer_seeds = wanted or None if isinstance(layer["seeds"], dict) else layer["seeds"]
        base: dict[str, Any] = {}
        if layer["horizon"]:
            horizon = layer["horizon"]
            base[horizon[0]] = horizon[1]
        if layer["vision"]:
            base["vision"] = layer["vision"]
            is_name = isinstance(layer["vision"], str)
            vision = {"backbone": layer["vision"]} if is_name else {**vision, **layer["vision"]}
        seeds = _laid(seeds, layer_seeds)
        child = {"extends": f"chain-{number - 1}.yaml", "study": f"s{number}", "base": base}
        _write(folder, child if layer_seeds is None else {**child, "seeds": layer_seeds}, f"chain-{number}.yaml")
    problems, plan = problems_and_plan(folder / f"chain-{len(layers)}.yaml")
    assert plan is not None, [str(problem) for problem in problems]
    expected = {arm: tuple(seeds.get(arm, seeds["default"])) for arm in ("base", "vision.weights=random")}
    assert plan.seeds_by_arm() == expected
    spec = plan.trials[0].spec
    assert (spec.stages[-1].epochs, spec.stages[-1].max_steps) == (
        (horizon[1], None) if horizon[0] == "epochs" else (None, horizon[1])
    )
    assert spec.vision.resize == vision.get("resize", "letterbox")


@tries("studies", few=30)
@given(
    st.sampled_from(["seeds", "seed", "num_seeds", "repeats"]),
    st.sampled_from([3, "3", "1-3", "range(3)", {"count": 3}, {"start": 1, "stop": 3}, None, "7, 8", [[7, 8]], ["7"]]),
)
def test_seeds_in_other_forms_are_refused_and_shown_as_a_list(folder: Path, key: str, value: Any) -> None:
    tree = {name: child for name, child in BASE.items() if name != "seeds"}
    path = _write(folder, {**tree, key: value})
    _refused(path, folder)
    _check_ways_out(path, folder)


# ---------------------------------------------------------------- slips anywhere

SHIPPED: Mapping[str, Any] = {name: read(find_study(name)).value for name in ("quickstart", "mini", "smollm2")}
TREES = {**SHIPPED, "small": {**BASE, "axes": {"vision.tokens": [4, 1]}, "arms": {"long": {"epochs": 3}}}}
SWAPS = [None, True, "x", "yes", "1e-4", "64px", "50%", 1.0, -1, [], ["x"], {}, {"value": 1}, "${a.b}", "a,b", 10**30]


def _places(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from _places(child, (*path, key))


PLACES = {name: list(_places(tree)) for name, tree in TREES.items()}


@st.composite
def _slips(draw: st.DrawFn) -> dict[str, Any]:
    """Break a study at one or two places."""
    name = draw(st.sampled_from(sorted(TREES)))
    tree: Any = copy.deepcopy(TREES[name])
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(PLACES[name]))
        node = tree
        try:
            for key in path[:-1]:
                node = node[key]
            child = node[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        match draw(st.sampled_from(["swap", "misspell", "drop", "double", "nest", "move", "misname"])):
            case "swap":
                node[path[-1]] = draw(st.sampled_from(SWAPS))
            case "misname" if isinstance(child, str) and len(child) > 2:
                at = draw(st.integers(0, len(child) - 2))
                node[path[-1]] = child[:at] + child[at + 1] + child[at] + child[at + 2 :]
            case "misspell" if isinstance(node, dict):
                key = str(path[-1])
                node[key[:-1] + draw(st.sampled_from(["", "s", "_", key[-1] * 2]))] = node.pop(path[-1])
            case "drop":
                del node[path[-1]]
            case "double" if isinstance(node, list):
                node.append(child)
            case "nest":
                node[path[-1]] = {str(path[-1]): child}
            case "move" if isinstance(node, dict):
                tree[str(path[-1])] = node.pop(path[-1])
            case _:
                pass
    return tree  # type: ignore[no-any-return]


@tries("studies", few=140)
@given(_slips())
def test_a_slip_anywhere_has_a_place_and_its_way_out_leads_out(folder: Path, tree: dict[str, Any]) -> None:
    path = _write(folder, tree)
    problems, plan = problems_and_plan(path)
    assert (plan is None) == bool(problems)
    for problem in problems:
        assert problem.law
        assert (problem.place or "").startswith(str(folder)), str(problem)
    _check_ways_out(path, folder)


@tries("studies", few=30)
@given(
    st.sampled_from(["010", "08", "-04", "00.5", "1:30", "2024-01-01", "1_000", "yes", "off", "!!int 3", "0x", "1e"])
)
def test_scalars_that_other_readers_take_for_something_else_are_no_numbers_here(folder: Path, scalar: str) -> None:
    text = yaml.safe_dump({**BASE, "axes": {"vision.tokens": "HERE"}}).replace("HERE", f"[{scalar}, 4]")
    path = _write(folder, text)
    _refused(path, folder)
    _check_ways_out(path, folder)
