"""Every kind of file on storage, damaged in every way: each command redoes or refuses it by name, and never breaks."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.commands.options import PlannedStudy
from orchestrator.planning.encoder_probe import KnownEncoders
from orchestrator.planning.language_memory import KnownLanguages
from orchestrator.planning.plan_json import plan_json
from orchestrator.planning.planned import PlanOptions, expand, plan
from orchestrator.planning.preflight import Digests, known_digests, sources_of
from orchestrator.state.added_seeds import AddedSeeds, SeedStep, write_added
from orchestrator.state.claims import claim_keys, now, write_claims
from orchestrator.state.documents import PlanDocument
from orchestrator.state.ledger import read_ledger
from orchestrator.state.looks import Look, write_looks
from orchestrator.state.superseded import set_aside_changed
from orchestrator.tracking.environment import storage_id
from orchestrator.tracking.sync import sync_study
from search_spaces.errors import InputError
from search_spaces.identity import source_name, weights_name
from search_spaces.spec import SourceSpec
from search_spaces.study_files import load_study
from tests.support.command_line import SMALL
from tests.support.memory_tracker import MemoryTracker
from tests.support.stored_studies import answers, fail_trial, finish_features, finish_trial, key_of
from trainables.data.prepare import is_prepared, prepare_source
from trainables.storage import layout
from trainables.storage.record_files import read_or_redo, write
from trainables.storage.records import (
    Attempt,
    AttemptStage,
    Counts,
    Curve,
    DigestCache,
    SourceDigest,
    WeightsDigest,
)
from trainables.storage.spool import Spool
from trainables.storage.store import LocalStore

STUDY = (
    SMALL.replace("seeds: [7]", "seeds: [7, 8]")
    + """
hypotheses:
  - {id: linear, claim: a linear projector is worse, pairs: [[base, projector=linear]], on: all, expect: worse}
"""
)
SHAPES = SourceSpec(
    name="shapes", version="1", reader="generated", options={"records": 40, "seed": 1, "split": "train"}
)
COUNTS = Counts(records=14432, text_only=0, images=1500, tags={"color": 1900})

KINDS: dict[str, tuple[str, Literal["refused", "redone", "not read"]]] = {
    r"digests\.json": ("digests", "redone"),
    r"encoders\.json": ("encoders", "redone"),
    r"languages\.json": ("languages", "redone"),
    r"data/\w+/result\.json": ("prepared source", "redone"),
    r"data/\w+/(records|images)\.arrow": ("prepared data", "redone"),
    r"pictures/\w+/(bytes|places)\.arrow": ("pictures", "redone"),
    r"stages/\w+/result\.json": ("stage result", "redone"),
    r"stages/\w+/\w+\.safetensors": ("weights", "redone"),
    r"stages/\w+/curve\.json": ("curve", "redone"),
    r"features/\w+/result\.json": ("features result", "redone"),
    r"features/\w+/features\.npy": ("features", "redone"),
    r"features/\w+/rows\.sha256": ("feature digests", "redone"),
    r"evaluations/\w+/[\w-]+\.json": ("evaluation result", "redone"),
    r"evaluations/\w+/[\w-]+\.parquet": ("examples", "redone"),
    r"studies/small/trials/[\w-]+/result\.json": ("trial result", "redone"),
    r"studies/small/trials/[\w-]+/failure\.json": ("failure", "redone"),
    r"studies/small/trials/[\w-]+/task\.json": ("task", "redone"),
    r"studies/small/trials/[\w-]+/spool\.jsonl": ("spool", "redone"),
    r"studies/small/trials/[\w-]+/rank-0\.log": ("log", "not read"),
    r"studies/small/claims/\w+\.json": ("claims", "refused"),
    r"studies/small/looks/\w+\.json": ("looks", "refused"),
    r"studies/small/added-seeds\.json": ("added seeds", "refused"),
    r"studies/small/plan\.json": ("plan", "refused"),
    r"studies/small/study\.yaml": ("study", "refused"),
    r"tracking/offsets/memory/small/[\w-]+\.json": ("cursor", "redone"),
    r"tracking/storage-id": ("storage id", "redone"),
    r"tracking/storage-id\.copy": ("storage id's copy", "redone"),
    r"tracking/storage-id\.lock": ("lock", "not read"),
}
"""Pattern of a file's name -> its kind, and what a command that reads it makes of a damaged one.

`redone`: it goes on without it, names it, and says what becomes of it."""

DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "absent": lambda content: None,
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "no fields": lambda content: b"{}",
    "a list": lambda content: b"[1, 2]",
    "other types": lambda content: re.sub(rb'": [^\n{\[]+?(,?)\n', rb'": [[]]\1\n', content),
    "binary": lambda content: b"\x93NUMPY\x00\xff\xfe" * 8,
}


@dataclass(frozen=True)
class Outcome:
    """What a command came to: an exit code, and all that it said."""

    code: int
    text: str


def _plan(store: LocalStore, file: Path) -> PlannedStudy:
    study = load_study(str(file))
    options = PlanOptions(store.root, store.root)
    return PlannedStudy(study, plan(expand(study, options), options, known_digests(store)), store)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage with every kind of file, of a study with one failed trial; study.yaml lies beside it."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "study.yaml").write_text(STUDY)
    store = LocalStore(folder / "storage")
    study = load_study(str(folder / "study.yaml"))
    options = PlanOptions(store.root, store.root)
    first = plan(expand(study, options), options, Digests({}, {}))
    names = [
        source_name(source) for source in sources_of([trial.spec for trial in first.trials], first.evaluation_sets)
    ]
    digests: dict[str, SourceDigest | WeightsDigest] = {
        name: SourceDigest("signature", key_of(name), COUNTS, key_of(f"pictures of {name}")) for name in names
    }
    for origin in {origin for trial in first.trials for origin in trial.spec.vision.checkpoints}:
        digests[weights_name(origin)] = WeightsDigest("signature", key_of(origin))
    write(store, layout.DIGESTS, DigestCache(digests))
    write(store, layout.ENCODERS, KnownEncoders({}))
    write(store, layout.LANGUAGES, KnownLanguages({}))
    prepare_source(SHAPES, store, folder)
    _, planned, _ = _plan(store, folder / "study.yaml")
    write(store, layout.plan_file("small"), PlanDocument(plan_json(planned)))
    store.put(layout.study_file("small"), STUDY.encode())
    write_claims(study, planned, read_ledger(planned, store), store)
    seen = claim_keys(study, planned)["linear"]
    found = ((7, 8), "earlier", "undecided", 0.1, (-1.0, 1.0))
    write_looks(store, "small", [Look("linear", seen.contrast, seen.claim, *found, {}, now(), "verdicts")])
    write_added(store, "small", AddedSeeds(1.5, (SeedStep(("linear",), {"base": (7,)}),)))
    for number, trial in enumerate(planned.trials):
        stages = tuple(AttemptStage(node.key or "") for node in trial.stage_nodes(planned))
        write(store, layout.trial_task("small", trial.id), Attempt(stages))
        store.put(layout.worker_log("small", trial.id, 0), b"a line\n")
        spool = Spool(store, layout.spool("small", trial.id))
        for step in range(1, 40):
            spool.write(step=step, metrics={"train/loss": 1 / step, "train/samples_per_s": 8.0})
        spool.close()
        if number == 0:
            fail_trial(store, planned, trial)
        else:
            scores = {one.id: answers(0.5 + number / 10, number) for one in planned.evaluation_sets}
            finish_trial(store, planned, trial, scores)
    for node in planned.nodes.values():
        if node.kind == "features" and node.key is not None:
            finish_features(store, node.key)
        if node.kind == "stage" and node.key is not None and store.exists(layout.stage_result(node.key)):
            write(store, layout.stage_curve(node.key), Curve(((1, 0.5, 0.1),)))
    storage_id(store.root)
    sync_study(study, planned, store, MemoryTracker())
    return folder


def _files(root: Path) -> Iterator[str]:
    yield from sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def _kind(name: str) -> str:
    found = [kind for pattern, (kind, _) in KINDS.items() if re.fullmatch(pattern, name)]
    assert len(found) == 1, f"{name} is of no kind that this test knows: say what a damaged one leads to"
    return found[0]


def _command(name: str, folder: Path, caplog: pytest.LogCaptureFixture) -> Outcome:
    """Run one command in this process; InputError is exit code 2, as `orchestrator.cli.main` has it.

    Of `run` it is what is read before anything trains; `sync` talks to a server in memory.
    """
    storage, study = folder / "storage", folder / "study.yaml"
    caplog.clear()
    try:
        if name == "run":
            found = _plan(LocalStore(storage), study)
            for prepared in (storage / "data").iterdir():
                is_prepared(found.store, prepared.name)
            read_or_redo(found.store, layout.ENCODERS, KnownEncoders)
            read_or_redo(found.store, layout.LANGUAGES, KnownLanguages)
            set_aside_changed(found.plan, read_ledger(found.plan, found.store), found.store)
            return Outcome(0, caplog.text)
        if name == "sync":
            found = _plan(LocalStore(storage), study)
            storage_id(storage)
            notices: list[str] = []
            sync_study(found.study, found.plan, found.store, MemoryTracker(), notices.append)
            return Outcome(0, caplog.text + "\n".join(notices))
    except InputError as error:
        return Outcome(2, str(error) + caplog.text)
    form = () if name == "report" else ("--json",)
    done = CliRunner().invoke(app, [name, str(study), "--storage", str(storage), *form])
    if isinstance(done.exception, InputError):
        return Outcome(2, str(done.exception) + caplog.text)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Outcome(done.exit_code, done.output + caplog.text)


COMMANDS = ("status", "report", "verdicts", "plan", "sync", "run")

READERS = {
    "digests": "status",
    "encoders": "run",
    "languages": "run",
    "prepared source": "run",
    "prepared data": "run",
    "stage result": "status",
    "weights": "status",
    "features result": "status",
    "features": "status",
    "feature digests": "status",
    "evaluation result": "report",
    "examples": "report",
    "trial result": "verdicts",
    "failure": "status",
    "task": "run",
    "claims": "verdicts",
    "looks": "report",
    "added seeds": "status",
    "plan": "sync",
    "study": "sync",
    "cursor": "sync",
    "storage id": "sync",
    "storage id's copy": "sync",
}
"""A command that reads each kind, but for spools, whose lines are passed over, and curves, which only workers read."""


def test_every_file_of_a_storage_is_of_a_known_kind(finished: Path) -> None:
    assert {_kind(name) for name in _files(finished / "storage")} == {kind for kind, _ in KINDS.values()}


def _cases(every: bool) -> list[tuple[str, str, str]]:
    """Kind, damage and command: all of them, or a fixed spread: each kind meets every command and six damages."""
    kinds = [kind for kind, law in KINDS.values() if law != "not read"]
    cases = [(kind, damage, command) for kind in kinds for damage in DAMAGES for command in COMMANDS]
    return cases if every else [case for number, case in enumerate(cases) if number % 7 == number // 42 % 7]


def _damaged(finished: Path, folder: Path, kind: str, damage: str) -> Path:
    """Copy the storage and damage one file of a kind in it; returns that file."""
    shutil.copytree(finished, folder)
    name = [one for one in _files(folder / "storage") if _kind(one) == kind][-1]
    if kind == "task":  # read of the trial that is not done
        name = str(next(folder.rglob("failure.json")).with_name("task.json").relative_to(folder / "storage"))
    path = folder / "storage" / name
    content = DAMAGES[damage](path.read_bytes())
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    return path


def _check(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, damage: str, command: str
) -> None:
    folder = tmp_path / "copy"
    path = _damaged(finished, folder, kind, damage)
    with caplog.at_level(logging.WARNING):
        outcome = _command(command, folder, caplog)
    assert outcome.code in (0, 2, 3), outcome.text
    assert "Traceback (most recent" not in outcome.text
    if outcome.code == 2 and damage != "absent":
        assert str(path) in outcome.text
    laws = dict(KINDS.values())
    if laws[kind] == "redone":
        assert outcome.code != 2, outcome.text


@pytest.mark.parametrize(("kind", "damage", "command"), _cases(every=False))
def test_a_damaged_file_is_redone_or_refused_by_name(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, damage: str, command: str
) -> None:
    _check(finished, tmp_path, caplog, kind, damage, command)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "damage", "command"), _cases(every=True))
def test_every_command_redoes_or_refuses_every_damaged_file(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, damage: str, command: str
) -> None:
    _check(finished, tmp_path, caplog, kind, damage, command)


@pytest.mark.parametrize("kind", ["trial result", "evaluation result", "examples"])
@pytest.mark.parametrize("damage", [name for name in DAMAGES if name not in ("absent", "other types")])
def test_a_trial_with_a_damaged_result_is_not_taken_for_done(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, damage: str
) -> None:
    path = _damaged(finished, tmp_path / "copy", kind, damage)
    outcome = _command("status", tmp_path / "copy", caplog)
    assert outcome.code == 0
    assert f"{path}: must be complete" in outcome.text
    assert '"done": 2' in outcome.text


@pytest.mark.parametrize("kind", ["stage result", "weights", "features result", "features"])
@pytest.mark.parametrize("damage", [name for name in DAMAGES if name not in ("absent", "other types")])
@pytest.mark.parametrize("command", ["status", "run"])
def test_a_node_whose_files_are_damaged_is_named_with_what_becomes_of_it(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, damage: str, command: str
) -> None:
    path = _damaged(finished, tmp_path / "copy", kind, damage)
    outcome = _command(command, tmp_path / "copy", caplog)
    assert outcome.code == 0
    assert f"{path}: must be complete" in outcome.text
    assert "`ablate run`" in outcome.text or "results stand" in outcome.text


@pytest.mark.parametrize("name", ["records.arrow", "images.arrow"])
@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "other types"])
def test_prepared_data_that_are_damaged_are_read_anew(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, damage: str
) -> None:
    store = LocalStore(tmp_path)
    digest, counts = prepare_source(SHAPES, store, tmp_path)
    path = tmp_path / "data" / digest / name
    whole = path.read_bytes()
    content = DAMAGES[damage](whole)
    path.unlink() if content is None else path.write_bytes(content)
    assert not is_prepared(store, digest)
    assert str(path) in caplog.text
    assert prepare_source(SHAPES, store, tmp_path) == (digest, counts)
    assert path.read_bytes() == whole


def test_the_undamaged_storage_is_read_by_every_command(finished: Path, caplog: pytest.LogCaptureFixture) -> None:
    outcomes = {name: _command(name, finished, caplog) for name in COMMANDS}
    assert {name: outcome.code for name, outcome in outcomes.items()} == dict.fromkeys(COMMANDS, 0)
    assert json.loads(outcomes["status"].text)["counts"]["done"] == 3


@pytest.mark.parametrize("kind", READERS)
def test_whoever_reads_a_damaged_file_names_it(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    path = _damaged(finished, tmp_path / "copy", kind, "binary")
    with caplog.at_level(logging.WARNING):
        outcome = _command(READERS[kind], tmp_path / "copy", caplog)
    assert str(path) in re.sub(r"\s", "", outcome.text)  # a terminal may break the line
    assert outcome.code == {"refused": 2, "redone": 0}[dict(KINDS.values())[kind]]


@pytest.mark.parametrize("command", ["plan", "verdicts", "report"])
def test_scores_with_a_flipped_bit_are_named_by_whoever_compares_them(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    shutil.copytree(finished, tmp_path / "copy")
    path = max((tmp_path / "copy/storage").rglob("*.parquet"))
    content = path.read_bytes()
    path.write_bytes(content[:99] + bytes([content[99] ^ 1]) + content[100:])
    with caplog.at_level(logging.WARNING):
        outcome = _command(command, tmp_path / "copy", caplog)
    assert outcome.code == 0
    assert f"{path}: must be complete" in outcome.text
    assert "evaluates its trial again" in outcome.text
