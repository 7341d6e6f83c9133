"""What the views of a report must do, whatever the study is called and wherever it stands."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestrator.reporting.build import build_report
from orchestrator.reporting.csv_json import COLUMNS, to_csv, to_json
from orchestrator.reporting.forms import FORMS, Form
from orchestrator.reporting.html import to_html
from orchestrator.reporting.latex import ARROWS, to_tex
from orchestrator.reporting.markdown import to_markdown
from orchestrator.reporting.report_model import Mark, Report
from tests.support.report_cases import CLAIMS, HOSTILE, finished, hostile, scores, under_way, unstarted
from tests.support.stored_studies import finish_trial, key_of, study_of, two_stage_plan
from trainables.storage import layout
from trainables.storage.store import LocalStore

VOID = {"meta", "br", "line", "circle", "rect"}
CASES = {"finished": finished, "under way": under_way, "unstarted": unstarted, "hostile": hostile}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "storage")


class Page(HTMLParser):
    """A page taken apart: its text, its elements, and whether each is closed by its own end tag."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        self.text = re.sub(r"\s+", " ", " ".join(self.texts))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)


def test_every_form_has_a_writer() -> None:
    assert set(FORMS) == set(get_args(Form))


def test_every_mark_of_a_cell_has_its_symbol_in_latex() -> None:
    assert set(ARROWS) == set(get_args(Mark))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_view_of_equal_storage_has_equal_bytes_however_it_was_written(form: str, case: str, tmp_path: Path) -> None:
    there = LocalStore(tmp_path / "storage")
    first = FORMS[form](CASES[case](there))
    assert FORMS[form](CASES[case](there)) == first
    if case == "finished":
        shutil.rmtree(there.root)
        assert FORMS[form](finished(there, order=lambda trials: trials[::-1])) == first


@pytest.mark.parametrize("case", CASES)
def test_html_is_well_formed_and_needs_nothing_from_elsewhere(case: str, store: LocalStore) -> None:
    page = to_html(CASES[case](store))
    parsed = Page(page)
    assert parsed.open == []
    assert "script" not in {tag for tag, _ in parsed.elements}
    for tag, attributes in parsed.elements:
        assert not {"src", "srcset", "onload", "onclick"} & set(attributes), (tag, attributes)
        assert str(attributes.get("href", "#")).startswith("#")
    assert not re.search(r"url\(|@import|https?://", page)
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg)


def test_html_says_first_what_was_asked_and_found_how_surely_and_what_would_decide(store: LocalStore) -> None:
    text = Page(to_html(finished(store))).text
    first = text[: text.index("Every arm against the base")]
    assert "Does resolution help?" in first
    assert "Of 3 claims, 1 holds, 1 does not hold and 1 is open." in first
    found = r"resolution=16px scores 40\.\d points lower than base on shape\."
    sure = r"95 % interval -4\d\.\d to -3\d\.\d; p < \.0001 \(Holm\); 3 seeds; 400 examples"
    assert re.search(rf"holds Small pictures hide shapes {found} {sure}", first)
    assert re.search(rf"does not hold Small pictures help {found} {sure}", first)
    undecided = (
        r"Not decided: resolution=32px may score from 0\.\d points? lower to \d\.\d points? higher than base "
        r"in the mean over shape and colour\."
    )
    assert re.search(rf"open Half the resolution is better {undecided}", first)
    assert "To decide it:" in first
    assert "126 GPU-seconds; 30 % saved by sharing equal work" in first


def test_html_figures_have_text_alternatives(store: LocalStore) -> None:
    """A label that says the numbers; or, for a line of a table, the numbers in the same line."""
    page = to_html(finished(store))
    drawings = [attributes for tag, attributes in Page(page).elements if tag == "svg"]
    spoken = [attributes["aria-label"] for attributes in drawings if attributes.get("role") == "img"]
    assert all(attributes.get("aria-hidden") == "true" or attributes.get("aria-label") for attributes in drawings)
    assert any(label and label.startswith("Mean score against resolution: 16px ") for label in spoken)
    assert any(label and label.startswith("Mean score against GPU-seconds of one trial. Not") for label in spoken)
    drawn = [row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if "<circle" in row]
    assert len(drawn) == 2 + 3  # arms against the base, seeds of all arms
    assert all(re.search(r"<td>[^<]*\d\.\d", row) for row in drawn)


def test_axis_points_are_drawn_by_their_numbers(store: LocalStore) -> None:
    """16, 32 and 64 px: the second lies at a third of the way, not in the middle."""
    curve = finished(store).curves[0]
    assert [(point.label, point.number, point.is_base) for point in curve.points] == [
        ("16px", 16.0, False),
        ("32px", 32.0, False),
        ("64px", 64.0, True),
    ]
    page = to_html(finished(store))
    panel = page[page.index("Mean score against resolution") :]
    dots = [float(x) for x in re.findall(r'<circle cx="([\d.]+)%"[^>]*class="dot', panel[: panel.index("</svg>")])]
    assert (dots[1] - dots[0]) / (dots[2] - dots[0]) == pytest.approx(1 / 3, abs=0.01)


def test_labels_that_do_not_fit_below_a_panel_become_numbers_with_a_key(store: LocalStore) -> None:
    """As names of encoders do; such values are no numbers, and are not joined either."""
    plan, names = two_stage_plan(), ("clip-vit-l-336px", "siglip-vit-so400m", "dinov2-vit-l-reg")
    arms = tuple(replace(arm, values={"resolution": name}) for arm, name in zip(plan.arms, names, strict=True))
    plan = replace(plan, arms=arms)
    for trial in plan.trials:
        finish_trial(store, plan, trial, scores(trial.arm, trial.seed, plan))
    study = study_of(axes={"resolution": {name: {} for name in reversed(names)}})
    page = to_html(build_report(study, plan, store))
    assert "1 dinov2-vit-l-reg, 2 siglip-vit-so400m, 3 clip-vit-l-336px" in page
    assert 'class="curve"' not in page


@pytest.mark.parametrize("form", ["html", "md", "tex"])
def test_every_state_of_a_cell_is_visible(form: str, store: LocalStore) -> None:
    written = FORMS[form](under_way(store))
    text = Page(written).text if form == "html" else written
    for wanted in ("no signal", "failed (seed 7)", "missing (seed 8)", "diverged (seed 7)"):
        assert wanted in text
    if form != "tex":
        log = str(store.root / layout.worker_log("small", "r32-s7", 0))
        for wanted in ("CUDA is gone", log, "too small for a patch", "gone-s7", "r64-s8-0123456789ab-1700000000"):
            assert wanted in text
    assert "refused" in Page(to_html(_refused(store))).text


def _refused(store: LocalStore) -> Report:
    """Seeds of one arm were scored on different examples."""
    finished(store)
    name = layout.evaluation_examples(key_of("evaluation r64-s7"), "shape")
    table = pq.read_table(store.root / name)
    store.remove(name)
    with store.writing(name) as aside:
        pq.write_table(table.slice(40), aside)
    return build_report(study_of(*CLAIMS), two_stage_plan(seeds=(7, 8, 9)), store)


def test_html_before_anything_ran_says_so(store: LocalStore) -> None:
    text = Page(to_html(unstarted(store))).text
    assert "Nothing is scored yet" in text
    assert "0 of 6 trials are done (6 pending)" in text
    assert "missing" in text


def test_html_shows_hostile_names_as_text(store: LocalStore) -> None:
    page = to_html(hostile(store))
    assert "<script" not in page
    assert HOSTILE in Page(page).text


def test_html_shows_what_sharing_saved_by_stage(store: LocalStore) -> None:
    work = finished(store).work
    align = next(one for one in work if one.name == "align")
    assert (align.depth, align.n, align.done, len(align.arms), align.steps) == (0, 3, 3, 3, 20)
    assert (align.gpu_seconds, align.gpu_seconds_saved) == (30.0, 60.0)
    assert [one.depth for one in work if one.kind == "evaluation"] == [2, 2, 2]


def test_pareto_front_leaves_out_what_another_arm_beats(store: LocalStore) -> None:
    """All trials cost the same here, so only the best arm is left."""
    report = finished(store)
    best = max((row for row in report.rows if row.mean.estimate), key=lambda row: row.mean.estimate.value)  # type: ignore[union-attr]
    assert [cost.arm for cost in report.costs if cost.is_pareto] == [best.arm]


def test_answers_stand_side_by_side_where_arms_differ(store: LocalStore) -> None:
    samples = finished(store).samples
    assert {sample.benchmark for sample in samples} == {"shape", "colour"}
    first = samples[0]
    assert set(first.answers) == {"base", "resolution=32px", "resolution=16px"}
    assert len({score for _, score in first.answers.values()}) == 2
    assert first.answers["base"][0] in ("yes", "no")
    assert first.prompt is None


def test_answers_come_with_their_question_where_the_examples_have_it(store: LocalStore) -> None:
    finished(store)
    for path in store.root.glob("evaluations/*/*.parquet"):
        table = pq.read_table(path)
        questions = pa.array([f"What is in {image}?" for image in table["cluster"].to_pylist()])
        pq.write_table(table.append_column("prompt", questions), path)
    report = build_report(study_of(*CLAIMS), two_stage_plan(seeds=(7, 8, 9)), store)
    assert report.samples[0].prompt == f"What is in {report.samples[0].image}?"
    assert str(report.samples[0].prompt) in Page(to_html(report)).text


def test_csv_parses_back_to_scores_means_differences_and_verdicts(store: LocalStore) -> None:
    report = finished(store)
    lines = list(csv.DictReader(io.StringIO(to_csv(report))))
    assert list(lines[0]) == [*COLUMNS, "axis:resolution"]
    kinds = [line["kind"] for line in lines]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "score": 3 * 3 * 3,  # arms, seeds, two benchmarks and their mean
        "mean": 3 * 3,
        "difference": 2 * 3,
        "verdict": 3,
    }
    one = next(line for line in lines if (line["kind"], line["arm"], line["benchmark"]) == ("mean", "base", "shape"))
    estimate = report.rows[0].cells[0].estimate
    assert estimate is not None
    assert float(one["value"]) == pytest.approx(estimate.value, abs=1e-3)
    assert (one["n_seeds"], one["n_examples"], one["n_images"], one["axis:resolution"]) == ("3", "400", "100", "64px")
    assert next(line for line in lines if line["kind"] == "verdict")["note"] == "holds"


def test_csv_has_a_line_for_every_score_that_is_not_there(store: LocalStore) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(under_way(store)))))
    states = {(line["arm"], line["seed"]): line["state"] for line in lines if line["kind"] == "score"}
    assert states["resolution=32px", "7"] == "failed"
    assert states["resolution=16px", "7"] == "diverged"
    assert states["base", "7"] == "ok"
    assert all(not line["value"] for line in lines if line["kind"] == "score" and line["state"] != "ok")


def test_csv_keeps_hostile_names(store: LocalStore) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(hostile(store)))))
    assert HOSTILE in {line["arm"] for line in lines}


def test_json_has_verdicts_and_everything_else(store: LocalStore) -> None:
    loaded = json.loads(to_json(finished(store)))
    verdict = loaded["verdicts"]["verdicts"][0]
    assert (verdict["id"], verdict["holds"], verdict["verdict"]) == ("smaller", True, "worse")
    assert set(loaded) >= {"rows", "axes", "curves", "work", "costs", "samples", "provenance", "power", "failures"}


def test_markdown_begins_with_the_verdicts(store: LocalStore) -> None:
    text = to_markdown(finished(store))
    assert text.index("- **holds**: Small pictures hide shapes.") < text.index("## Arms by benchmarks")


def test_latex_escapes_hostile_names_and_is_complete(store: LocalStore) -> None:
    text = to_tex(hostile(store))
    assert r"\textless{}script\textgreater{}" in text
    assert r"\& 50 \% of \#1\_a \$x\textasciicircum{}2\$ \{b\}\textasciitilde{}\textbackslash{}" in text
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") == 2
    assert r"\toprule" in text


def test_latex_splits_more_benchmarks_than_fit_a_page(store: LocalStore) -> None:
    plan = two_stage_plan(seeds=(7,), benchmarks=[f"b{i}" for i in range(9)])
    for trial in plan.trials:
        finish_trial(store, plan, trial, scores(trial.arm, trial.seed, plan))
    text = to_tex(build_report(study_of(), plan, store))
    assert text.count(r"\begin{table*}") == 2
    assert "(8 to 9 of 9)" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex (Debian: texlive-latex-base)")
@pytest.mark.parametrize("case", CASES)
def test_latex_compiles(case: str, store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "tables.tex").write_text(to_tex(CASES[case](store)))
    head = r"\documentclass{article}\usepackage{booktabs}\setlength{\textwidth}{6.5in}"
    paper = head + r"\begin{document}\input{tables}~\end{document}"
    (tmp_path / "paper.tex").write_text(paper)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stdout[-2000:]
    assert "Overfull" not in made.stdout or case == "hostile"  # names without a place to break
