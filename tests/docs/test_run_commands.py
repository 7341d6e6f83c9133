"""Every command that a document prints with all of its arguments is run, or says why it is not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.exit_codes import EXIT_BAD_INPUT
from search_spaces.errors import InputError
from tests.support.command_line import ROOT
from tests.support.command_runs import ENDS_WITH, not_run, printed, run_elsewhere, run_here
from tests.support.readers_folder import (
    READ_AS_SHIPPED,
    SHIPPED,
    STAND_INS,
    make_readers_folder,
    run_the_small_study,
)

COMMANDS = run_here()


def test_every_command_is_run_or_needs_what_a_bare_machine_has_not() -> None:
    assert not_run().keys() <= printed().keys()
    assert run_elsewhere().keys() - printed().keys() == set()
    assert not_run().keys() & run_elsewhere().keys() == set()
    assert ENDS_WITH.keys() <= COMMANDS.keys()
    assert len(COMMANDS) > 100
    assert [test for test in run_elsewhere().values() if not (ROOT / test).is_file()] == []


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a reader, `folder`, and a storage with the small study done, `storage`."""
    place = tmp_path_factory.mktemp("reader")
    make_readers_folder(place / "folder")
    run_the_small_study(place / "folder", place / "storage")
    return place


@pytest.fixture
def storage(reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the storage, for the command in the reader's folder; what it writes there is removed after it."""
    folder, storage = reader / "folder", tmp_path / "storage"
    shutil.copytree(reader / "storage", storage)
    for name, value in {"ABLATE_STORAGE": storage, "ABLATE_DATA": folder, "HOME": reader}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(folder)
    before = set(folder.iterdir())
    yield storage
    for made in set(folder.iterdir()) - before:
        shutil.rmtree(made) if made.is_dir() and not made.is_symlink() else made.unlink()
    shutil.rmtree(storage)


@pytest.mark.ray
@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_a_document_ends_well(command: str, reader: Path, storage: Path) -> None:
    words = COMMANDS[command]
    if words[0] not in READ_AS_SHIPPED:
        for name in SHIPPED:
            Path(name).symlink_to(reader / STAND_INS / name)
    if "ours.yaml" in words:
        render = words[words.index("--render") + 1]
        shutil.copy(ROOT / "cluster/profiles" / f"{_PROFILES[render]}.yaml", "ours.yaml")
    trial = next(storage.glob("studies/mystudy/trials/epochs-*")).name
    places = {"STORAGE": str(storage), "TRIAL": trial}
    done = CliRunner().invoke(app, [places.get(word, word) for word in words], input="n\n")
    refused = isinstance(done.exception, InputError)
    if done.exception is not None and not refused and not isinstance(done.exception, SystemExit):
        raise done.exception
    code = EXIT_BAD_INPUT if refused else done.exit_code
    assert code == ENDS_WITH.get(command, 0), f"{done.exception or ''}\n{done.output}"


_PROFILES = {"sbatch": "slurm", "rayjob": "kuberay"}
