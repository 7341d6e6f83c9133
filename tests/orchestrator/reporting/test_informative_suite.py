"""Questions that tell arms apart become a suite: `ablate plan` accepts what `ablate questions --informative` writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import Digests, known_digests, sources_of
from search_spaces.errors import InputError
from search_spaces.identity import source_name, weights_name
from search_spaces.plan import Plan
from search_spaces.study_files import load_study
from tests.support.command_line import SMALL
from tests.support.stored_studies import finish_trial, key_of
from trainables.storage import layout
from trainables.storage.record_files import write
from trainables.storage.records import Counts, DigestCache, SourceDigest, WeightsDigest
from trainables.storage.store import LocalStore

BENCHMARKS = "benchmarks: [{id: easy-vqa-color, sample: 250}, {id: own, source: easy-vqa-test, unit: x}]"
AXES = "gelu-mlp, linear]\n  epochs: [1, 2, 3]\ndesign: grid"
SIX_ARMS = SMALL.replace("gelu-mlp, linear]", AXES).replace("benchmarks: easy-vqa", BENCHMARKS)
COUNTS = Counts(records=14432, text_only=0, images=1500, tags={"color": 1900})


def _plan(file: Path, store: LocalStore, known: Digests) -> Plan:
    options = PlanOptions(store.root, store.root)
    return plan(expand(load_study(str(file)), options), options, known)


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    """A study of six arms with scores on two benchmarks; its storage lies beside it."""
    file, store = tmp_path / "six.yaml", LocalStore(tmp_path / "storage")
    file.write_text(SIX_ARMS)
    first = _plan(file, store, Digests({}, {}))
    specs = [trial.spec for trial in first.trials]
    digests: dict[str, SourceDigest | WeightsDigest] = {
        source_name(source): SourceDigest("signature", key_of(source_name(source)), COUNTS, key_of("pictures"))
        for source in sources_of(specs, first.evaluation_sets)
    }
    for origin in {origin for spec in specs for origin in spec.vision.checkpoints}:
        digests[weights_name(origin)] = WeightsDigest("signature", key_of(origin))
    write(store, layout.DIGESTS, DigestCache(digests))
    planned = _plan(file, store, known_digests(store))
    for number, trial in enumerate(planned.trials):
        hard = np.random.default_rng(1).permutation(400)
        scores = np.zeros(400)
        scores[hard[: 150 + 30 * number]] = 1
        finish_trial(store, planned, trial, {benchmark.id: scores for benchmark in planned.benchmarks})
    return file


def _run(*arguments: str | Path, storage: Path) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments), "--storage", str(storage)])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_ids_that_were_written_are_accepted_by_the_plan_of_a_study_that_asks_them(scored: Path) -> None:
    storage, folder = scored.parent / "storage", scored.parent / "chosen"
    said = _run("questions", scored, "--informative", folder, storage=storage)
    lines = said[said.index("suites:") :]
    assert "{id: own, source: easy-vqa-test, unit: x, only: chosen/own.json}" in lines
    (scored.parent / "more.yaml").write_text(f"extends: six.yaml\nstudy: more\n{lines}")
    again = json.loads(_run("questions", scored, "--informative", folder, "--json", storage=storage))
    ids = again["benchmarks"][0]["informative"]["ids"]
    assert again["suites"]["informative"][0] == {"id": "easy-vqa-color", "only": "chosen/easy-vqa-color.json"}
    more = _plan(scored.parent / "more.yaml", LocalStore(storage), known_digests(LocalStore(storage)))
    only = more.benchmarks[0].only
    assert only is not None
    assert (len(ids), only.ids) == (100, tuple(sorted(ids)))
    view = _run("plan", scored.parent / "more.yaml", storage=storage)
    assert "easy-vqa-color: only 100 questions" in " ".join(view.split())
    planned = json.loads(_run("plan", scored.parent / "more.yaml", "--json", storage=storage))
    assert [benchmark["only"] for benchmark in planned["benchmarks"]] == [100, 100]
    assert "only 100 questions" in " ".join(_run("verdicts", scored.parent / "more.yaml", storage=storage).split())


def test_files_that_a_study_may_use_are_not_replaced_by_other_ids(scored: Path) -> None:
    folder = scored.parent / "chosen"
    folder.mkdir()
    (folder / "own.json").write_text('["1", "2"]')
    with pytest.raises(InputError, match="must have no other ids yet"):
        _run("questions", scored, "--informative", folder, storage=scored.parent / "storage")
    assert [file.name for file in folder.iterdir()] == ["own.json"]


def test_a_study_on_storage_goes_by_its_name(scored: Path) -> None:
    storage, folder = scored.parent / "storage", scored.parent / "chosen"
    LocalStore(storage).put(layout.study_file("small"), scored.read_bytes())
    said = _run("questions", "small", "--informative", folder, storage=storage)
    assert "chosen/own.json" in said[said.index("suites:") :]
    assert (folder / "own.json").is_file()


def test_without_a_choice_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with pytest.raises(InputError, match="nothing is scored yet"):
        _run("questions", "quickstart", "--informative", tmp_path / "chosen", storage=tmp_path / "s")
    assert not (tmp_path / "chosen").exists()
