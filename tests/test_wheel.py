"""The wheel carries everything that a study needs: built, unpacked elsewhere, and asked for a plan."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import orchestrator

ROOT = Path(__file__).parent.parent
CARRIED = (".py", ".yaml", ".json", ".csv", ".j2", ".sbatch", ".css", ".js", ".typed")
"""What of the packages must be in the wheel."""


def test_the_wheel_plans_reports_and_describes_from_another_directory(tmp_path: Path) -> None:
    source = tmp_path / "source"  # a copy: building leaves folders behind
    for package in ("search_spaces", "trainables", "cluster", "orchestrator"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / file, source / file)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    built = subprocess.run(build, check=True, capture_output=True, text=True)
    assert "is absent from the `packages` configuration" not in built.stdout + built.stderr
    (wheel,) = tmp_path.glob("ablate_vlm-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "ablate = orchestrator.cli:main" in archive.read(entry).decode()
        licences = {Path(name).name for name in archive.namelist() if "/licenses/" in name}
        (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
    assert licences == {"LICENSE", "NOTICE"}
    assert f"Version: {orchestrator.__version__}\n" in metadata
    kept = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.suffix in CARRIED}
    site = tmp_path / "site"
    assert {path for path in kept if not (site / path).exists() and not path.startswith("build/")} == set()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "storage").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "ABLATE_STORAGE": str(tmp_path / "storage")}

    def ablate(*arguments: str) -> str:
        command = [sys.executable, "-c", "from orchestrator.cli import main; main()", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=elsewhere, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert len(json.loads(ablate("plan", "quickstart", "--json"))["trials"]) == 16
    assert "trials" in json.loads(ablate("schema", "--of", "plan"))["properties"]
    ablate("report", "quickstart", "-o", "report.html")
    page = (elsewhere / "report.html").read_text()
    assert (site / "orchestrator" / "reporting" / "templates" / "report.js").read_text().strip() in page
