"""The command line refuses to run beside a foreign package of the same name."""

from __future__ import annotations

from pathlib import Path

from tests.support.command_line import ablate


def test_a_foreign_package_of_our_name_is_refused_naming_its_file(tmp_path: Path) -> None:
    foreign = tmp_path / "cluster"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("")
    done = ablate("plan", "quickstart", storage=tmp_path / "s", cwd=tmp_path, check=None)
    assert done.returncode == 2
    assert str(foreign / "__init__.py") in done.stderr
