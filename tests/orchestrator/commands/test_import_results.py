"""`ablate import` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import ablate
from tests.support.harness_files import write_lmms_run


def test_json_says_of_every_run_what_it_is_and_where_it_lies(tmp_path: Path) -> None:
    write_lmms_run(tmp_path / "logs", 0.5, 1)
    command = ("import", "--from", "lmms-eval", "logs", "--arm", "base", "--seed", "1", "--out", "it", "--json")
    said = json.loads(ablate(*command, storage=tmp_path / "s", cwd=tmp_path).stdout)
    assert (said["arm"], said["seed"], said["folder"]) == ("base", 1, "it")
    run = next(run for run in said["runs"] if run["benchmark"] == "pope")
    assert (run["n"], run["points"], run["n_images"], run["was_there"]) == (80, 50.0, None, False)
    assert (tmp_path / run["file"]).is_file()
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "lmms-eval", "none.jsonl"), "none.jsonl: must be readable"),
        (("--from", "lmms-evl", "none.jsonl"), "lmms-eval"),
    ],
)
def test_bad_input_exits_with_2(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = ablate("import", *arguments, "--arm", "a", "--seed", "1", storage=tmp_path, cwd=tmp_path, check=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [("--arm", " "), ("--arm", "a "), ("--arm", "a\nb"), ("--arm", "a\u200b"), ("--benchmark", "b\t"), ("--arm", "")],
)
def test_a_name_with_what_is_not_seen_is_refused_by_its_option(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"id": "0", "score": 1}\n{"id": "1", "score": 0}\n')
    arm = () if words[0] == "--arm" else ("--arm", "a")
    done = ablate(
        "import", "--from", "jsonl", "r.jsonl", *arm, *words, "--seed", "1", storage=tmp_path, cwd=tmp_path, check=2
    )
    assert f"{words[0]}: must be text without blanks" in done.stderr
    assert not (tmp_path / "items").exists()
