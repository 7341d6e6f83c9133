"""Figures for papers are complete, with table and caption each, in equal bytes, with fonts embedded."""

from __future__ import annotations

import csv
import html
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure
from PIL import Image

from orchestrator.figures.kinds import KINDS, MOST_PANELS
from orchestrator.figures.write import FORMATS, write_figures
from orchestrator.reporting.figure_data import arm_bar, arms_caption
from orchestrator.reporting.training import LossCurve
from tests.support.command_line import ROOT
from tests.support.report_cases import CASES, finished, hostile, unstarted
from trainables.storage.store import LocalStore


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_figure_comes_in_every_format_with_its_table_and_caption(store: LocalStore, tmp_path: Path) -> None:
    written = write_figures(finished(store), tmp_path / "fig", KINDS, FORMATS, 3.3)
    names = {path.stem for path in written if path.suffix == ".csv"}
    assert names == {"claims", "forest", "axes", "pareto", "seeds"}  # these trials have kept no losses
    assert {path.name for path in written} == {path.name for path in (tmp_path / "fig").iterdir()}
    for name in names:
        assert {path.suffix for path in written if path.stem == name} == {".svg", ".pdf", ".png", ".csv"}
    captions = (tmp_path / "fig" / "captions.md").read_text()
    assert {line.removeprefix("## ") for line in captions.splitlines() if line.startswith("## ")} == names


def test_the_table_of_a_figure_has_the_numbers_of_the_report(store: LocalStore, tmp_path: Path) -> None:
    report = finished(store)
    write_figures(report, tmp_path, KINDS, ("svg",), 3.3)
    bars = {finding.arm: arm_bar(finding) for finding in report.findings}
    rows = {row["arm"]: row for row in _rows(tmp_path / "forest.csv")}
    assert rows.keys() == bars.keys()
    for arm, bar in bars.items():
        assert [float(rows[arm][name]) for name in ("points", "low", "high")] == pytest.approx(
            [bar.value, *bar.interval], rel=1e-5
        )
    assert arms_caption(report) in (tmp_path / "captions.md").read_text()
    seeds = {row["arm"]: row for row in _rows(tmp_path / "seeds.csv")}
    shown = report.rows[0]
    assert [float(seeds[shown.arm][f"seed {seed}"]) for seed in shown.seeds] == pytest.approx(
        list(shown.mean.by_seed.values()), rel=1e-5
    )


def test_what_earlier_calls_wrote_stays_described_and_what_is_no_longer_true_goes(
    store: LocalStore, tmp_path: Path
) -> None:
    report, folder = finished(store), tmp_path / "fig"
    points = ((0.0, 3.0), (10.0, 1.5))
    losses = tuple(LossCurve(f"arm-{n}", 7, "finetune", points, is_diverged=False) for n in range(MOST_PANELS + 1))
    write_figures(replace(report, losses=losses), folder, KINDS, ("svg", "png"), 3.3)
    assert (folder / "curves-finetune-2.png").exists()
    captions = (folder / "captions.md").read_text()
    write_figures(report, folder, ("claims",), ("svg",), 3.3)
    assert (folder / "captions.md").read_text() == captions
    assert (folder / "claims.png").exists()  # of the same values
    (folder / "own.svg").write_text("mine")
    smaller = replace(report, rows=report.rows[:2], losses=losses[:2])
    write_figures(smaller, folder, ("seeds", "curves"), ("svg",), 3.3)
    assert {path.name for path in folder.iterdir()} == {
        *(f"{name}.{suffix}" for name in ("claims", "forest", "axes", "pareto") for suffix in ("svg", "png", "csv")),
        *(f"{name}.{suffix}" for name in ("seeds", "curves-finetune") for suffix in ("svg", "csv")),
        "captions.md",
        "own.svg",
    }
    titles = re.findall("^## (.+)", (folder / "captions.md").read_text(), re.MULTILINE)
    assert titles == ["claims", "forest", "axes", "pareto", "seeds", "curves-finetune"]


def test_a_figure_that_cannot_be_drawn_changes_no_file(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, folder = finished(store), tmp_path / "fig"
    write_figures(report, folder, KINDS, ("svg",), 3.3)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    fewer = replace(report, rows=report.rows[:2])
    real = Figure.savefig

    def full(figure: Figure, path: Path, **options: Any) -> None:
        if path.name == "seeds.svg":
            raise OSError(28, "No space left on device")
        real(figure, path, **options)

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(OSError, match="No space"):
        write_figures(fewer, folder, ("claims", "seeds"), ("svg",), 3.3)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_settings_of_the_user_and_of_the_folder_change_no_byte(store: LocalStore, tmp_path: Path) -> None:
    write_figures(finished(store), tmp_path / "own", KINDS, FORMATS, 3.3)
    rc = tmp_path / "matplotlibrc"
    rc.write_text("axes.grid: True\nsavefig.bbox: tight\nfigure.facecolor: red\nlines.marker: s\ntext.usetex: True\n")
    program = (
        "from pathlib import Path; from tests.support.report_cases import finished;"
        "from trainables.storage.store import LocalStore; from orchestrator.figures.kinds import KINDS;"
        "from orchestrator.figures.write import FORMATS, write_figures;"
        "write_figures(finished(LocalStore(Path.cwd() / 's')), Path('fig'), KINDS, FORMATS, 3.3);"
        "import matplotlib; assert matplotlib.rcParams['text.usetex']"
    )
    environment = {**os.environ, "MATPLOTLIBRC": str(rc), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)
    for path in (tmp_path / "own").iterdir():
        assert path.read_bytes() == (tmp_path / "fig" / path.name).read_bytes(), path.name


def test_equal_reports_give_equal_bytes(tmp_path: Path) -> None:
    for name, order in (("a", list), ("b", lambda trials: trials[::-1])):
        report = finished(LocalStore(tmp_path / f"storage-{name}"), order)
        write_figures(report, tmp_path / name, KINDS, FORMATS, 3.3)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_pictures_have_the_width_embedded_fonts_and_nothing_from_elsewhere(store: LocalStore, tmp_path: Path) -> None:
    write_figures(finished(store), tmp_path, ("forest",), FORMATS, 3.3)
    assert Image.open(tmp_path / "forest.png").width == 990  # 300 dots per inch
    pdf = (tmp_path / "forest.pdf").read_bytes()
    assert b"/FontFile2" in pdf  # TrueType
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    svg = (tmp_path / "forest.svg").read_text()
    assert ElementTree.fromstring(svg).attrib["width"] == "237.6pt"
    assert "<text" not in svg  # letters are outlines
    assert set(re.findall(r'xlink:href="([^#"]+)', svg)) == set()


@pytest.mark.parametrize("case", sorted(CASES))
def test_every_case_is_drawn_or_has_nothing_to_draw(case: str, store: LocalStore, tmp_path: Path) -> None:
    report = CASES[case](store)
    written = write_figures(report, tmp_path / "fig", KINDS, ("png",), 2.0)
    if CASES[case] is unstarted:
        assert written == []
        assert not (tmp_path / "fig").exists()
    else:
        assert {"seeds.png", "captions.md"} <= {path.name for path in written}


def test_names_that_mean_something_to_mathematics_or_spreadsheets_are_text(store: LocalStore, tmp_path: Path) -> None:
    """`$x^2$` in the name of an arm is no formula, neither for matplotlib nor, with `=`, for a spreadsheet."""
    report = hostile(store)
    no_formula = replace(report, rows=(*report.rows, replace(report.rows[0], arm="a=$_$")))
    write_figures(no_formula, tmp_path, ("seeds",), ("svg",), 6.9)
    svg = (tmp_path / "seeds.svg").read_text()
    assert "<script>" not in svg
    assert set(re.findall(r"#(\w+)-[0-9a-f]+\"", svg)) >= {"DejaVuSans"}  # letters drawn
    assert "Oblique" not in svg  # in which formulas are set
    assert "<!-- a=$_$ -->" in svg
    assert "$x^2$" in html.unescape(svg)
    assert any("$x^2$" in row["arm"] for row in _rows(tmp_path / "seeds.csv"))
