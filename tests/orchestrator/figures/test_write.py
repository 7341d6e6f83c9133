"""Figures for papers are complete, with table and caption each, in equal bytes, with fonts embedded."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from orchestrator.figures.kinds import KINDS
from orchestrator.figures.write import FORMATS, write_figures
from orchestrator.reporting.figure_data import arm_bar, arms_caption
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
            [bar.value, bar.low, bar.high], rel=1e-5
        )
    assert arms_caption(report) in (tmp_path / "captions.md").read_text()
    seeds = {row["arm"]: row for row in _rows(tmp_path / "seeds.csv")}
    shown = report.rows[0]
    assert [float(seeds[shown.arm][f"seed {seed}"]) for seed in shown.seeds] == pytest.approx(
        list(shown.mean.by_seed.values()), rel=1e-5
    )


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
    write_figures(hostile(store), tmp_path, ("seeds",), ("svg",), 6.9)
    assert "<script>" not in (tmp_path / "seeds.svg").read_text()
    assert any("$x^2$" in row["arm"] for row in _rows(tmp_path / "seeds.csv"))
