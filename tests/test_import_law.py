"""The direction of imports is data: orchestrator -> {trainables, cluster} -> search_spaces; engines have few doors."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

NEVER = {
    "search_spaces": {"torch", "ray", "deepspeed", "mlflow", "transformers", "trainables", "cluster", "orchestrator"},
    "trainables": {"mlflow", "orchestrator", "cluster"},
    "cluster": {"torch", "mlflow", "trainables", "orchestrator", "ray.tune"},
    "orchestrator": {"torch", "deepspeed"},
}

DOORS = {
    "mlflow": {
        "orchestrator/tracking/mlflow_axes.py",
        "orchestrator/tracking/embedded_database.py",
        "orchestrator/tracking/mlflow_connect.py",
        "orchestrator/tracking/mlflow_errors.py",
        "orchestrator/tracking/mlflow_experiment.py",
        "orchestrator/tracking/mlflow_models.py",
        "orchestrator/tracking/mlflow_runs.py",
        "orchestrator/tracking/mlflow_server.py",
        "orchestrator/tracking/mlflow_tracker.py",
    },
    "deepspeed": {"trainables/training/engine.py"},
    "ray.tune": {"trainables/workers/tune_trial.py", "orchestrator/running/tune_hooks.py"},
    "pickle": {
        "orchestrator/running/tune_hooks.py",  # of Tune, in Ray's session, and of this user alone
        "trainables/benchmarks/files/plain_pickle.py",  # an unpickler that knows no name
        "trainables/miniature/refer.py",  # writes only
        "trainables/model/broadcast.py",  # between the ranks of one group
        "trainables/model/torch_files.py",  # an exception's type
    },
    "cloudpickle": set(),
    "dill": set(),
    "joblib": set(),
    "marshal": set(),
    "shelve": set(),
}

RAY_IN_TRAINABLES = {"trainables/workers/tune_trial.py"}

TORCH_FREE = [
    "cluster.cost",
    "cluster.launchers",
    "cluster.memory",
    "search_spaces.expansion.expand",
    "search_spaces.error_text",
    "search_spaces.quantities",
    "search_spaces.projectors",
    "search_spaces.question_memory",
    "search_spaces.sizes",
    "search_spaces.trained_sizes",
    "search_spaces.worker_contract",
    "trainables.benchmarks.inventory",
    "trainables.evaluation.asking",
    "trainables.evaluation.closed_answers",
    "trainables.benchmarks.contract",
    "trainables.evaluation.selected_examples",
    "trainables.benchmarks.sets.open_answers",
    "trainables.benchmarks.registry",
    "trainables.benchmarks.scoring",
    "trainables.miniature.generate",
    "trainables.data.batches",
    "trainables.data.convert",
    "trainables.data.decode",
    "trainables.data.treated",
    "trainables.data.mix",
    "trainables.data.pictures",
    "trainables.data.prepare",
    "trainables.data.prepared",
    "trainables.data.readers",
    "trainables.data.survey",
    "trainables.training.deepspeed_config",
    "trainables.package_versions",
    "trainables.storage.artifacts",
    "trainables.storage.damages",
    "trainables.storage.digests",
    "trainables.storage.finished",
    "trainables.storage.layout",
    "trainables.storage.lost_stages",
    "trainables.storage.lease",
    "trainables.storage.owner",
    "trainables.model.images",
    "trainables.model.prompts",
    "trainables.model.rgb",
    "trainables.model.weights",
    "trainables.storage.payloads",
    "trainables.storage.picture_files",
    "trainables.storage.records",
    "trainables.restoring",
    "trainables.storage.store",
    "trainables.storage.tracked_names",
    "trainables.telemetry.system_sampler",
    "trainables.task",
    "trainables.workers.tune_result",
    "trainables.workers.worker",
    "orchestrator.analysis.methods.judge_study",
    "orchestrator.analysis.plan_power",
    "orchestrator.analysis.methods.judge_table",
    "orchestrator.api",
    "orchestrator.cli",
    "orchestrator.tracking.saved_views",
    "orchestrator.tracking.view_charts",
    "orchestrator.tracking.view_tags",
    "orchestrator.data.check",
    "orchestrator.data.stats",
    "orchestrator.commands.benchmarks",
    "orchestrator.commands.score",
    "orchestrator.planning.question_checks",
    "orchestrator.planning.study_prompts",
    "orchestrator.planning.encoder_probe",
    "orchestrator.planning.estimates",
    "orchestrator.running.attempts",
    "orchestrator.tracking.environment",
    "orchestrator.tracking.filter_language",
    "orchestrator.tracking.labels",
    "orchestrator.tracking.pages",
    "orchestrator.terminal.plan",
    "orchestrator.tracking.replay",
    "orchestrator.tracking.study_progress",
    "orchestrator.tracking.sync",
    "orchestrator.reporting.forms",
    "orchestrator.reporting.open_prompts",
    "orchestrator.tracking.study_note",
    "orchestrator.reporting.summary",
    "orchestrator.tracking.tracker",
]

HEAVY = ("torch", "ray", "deepspeed", "mlflow", "transformers", "timm")


def _imports(file: Path, at_run_time: bool = False) -> Iterator[str]:
    """Every module that a file imports anywhere, with `from a import b` as both `a` and `a.b`; `at_run_time` leaves out
    what only a type checker sees."""
    tree = ast.parse(file.read_text())
    unseen = {
        id(inner)
        for node in ast.walk(tree)
        if at_run_time and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _modules() -> dict[str, Path]:
    files = (file for package in NEVER for file in _files(package) if file.name != "__init__.py")
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}


def _is_of(imported: str, package: str) -> bool:
    return imported == package or imported.startswith(f"{package}.")


def _files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", NEVER)
def test_no_file_imports_what_its_folder_never_imports(package: str) -> None:
    broken = [
        (str(file.relative_to(ROOT)), imported)
        for file in _files(package)
        for imported in _imports(file)
        for banned in NEVER[package]
        if _is_of(imported, banned)
    ]
    assert broken == []


@pytest.mark.parametrize("engine", DOORS)
def test_an_engine_is_imported_through_its_doors_only(engine: str) -> None:
    used = {
        str(file.relative_to(ROOT))
        for package in NEVER
        for file in _files(package)
        if any(_is_of(imported, engine) for imported in _imports(file))
    }
    assert used == DOORS[engine]


def test_siblings_import_one_another_in_one_direction() -> None:
    """In every folder, what lies in it (modules, and folders as one each) has an order in which nothing imports what
    comes later. Imports inside functions count; those for type checkers alone do not exist when the program runs."""
    modules, arrows = _modules(), defaultdict[str, dict[str, set[str]]](lambda: defaultdict(set))
    for module, file in modules.items():
        for imported in modules.keys() & set(_imports(file, at_run_time=True)):
            here, there = module.split("."), imported.split(".")
            depth = next(
                (depth for depth, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), len(here) - 1
            )
            arrows[".".join(here[:depth])][here[depth]].add(there[depth])
    for folder, graph in arrows.items():
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            pytest.fail(f"{folder or 'the four packages'}: {' -> '.join(error.args[1])}")


def test_trainables_know_ray_in_the_module_of_the_tune_trainable_only() -> None:
    used = {str(f.relative_to(ROOT)) for f in _files("trainables") if any(_is_of(i, "ray") for i in _imports(f))}
    assert used == RAY_IN_TRAINABLES


@pytest.mark.parametrize("module", TORCH_FREE)
def test_light_modules_import_no_heavy_library(module: str) -> None:
    """In a fresh interpreter, as a leaf's import counts for everybody above it."""
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert answer.stdout.strip() == "[]"


def test_nothing_that_torch_or_numpy_reads_is_unpickled() -> None:
    """Storage and data are shared, and a pickle runs what is in it."""
    unsafe = []
    for package in NEVER:
        for file in _files(package):
            for call in (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)):
                options = {word.arg: ast.unparse(word.value) for word in call.keywords}
                name = ast.unparse(call.func)
                is_unsafe = name == "torch.load" and options.get("weights_only") != "True"
                is_unsafe |= "allow_pickle" in options or name == "yaml.load" or "unsafe_load" in name
                if is_unsafe:
                    unsafe.append((str(file.relative_to(ROOT)), call.lineno))
    assert unsafe == []


def test_there_is_no_module_called_utils() -> None:
    assert [str(f) for package in NEVER for f in _files(package) if f.stem in ("utils", "helpers", "common")] == []
