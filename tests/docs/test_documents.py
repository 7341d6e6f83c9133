"""Documents name files that are there, and the architecture page names every folder."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

import orchestrator

ROOT = Path(__file__).parents[2]
PACKAGES = ("search_spaces", "cluster", "trainables", "orchestrator")


def _tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


DOCUMENTS = [name for name in _tracked() if name.endswith(".md")]
SOURCES = [name for name in _tracked() if name.endswith((".md", ".py", ".yaml", ".toml")) and name != "CHANGELOG.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_of_a_document_lead_to_files_that_are_there(document: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / document).read_text(), flags=re.S)
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [link for link in links if link and not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not ((ROOT / document).parent / link).exists()] == []


def test_the_index_of_the_documents_links_every_page() -> None:
    linked = re.findall(r"\]\((\w[\w-]*\.md)\)", (ROOT / "docs" / "README.md").read_text())
    pages = {Path(name).name for name in DOCUMENTS if Path(name).parent == Path("docs")}
    assert set(linked) == pages - {"README.md"}
    assert len(linked) == len(set(linked))


def test_the_readme_shows_each_verdict_of_the_quickstart_page_in_a_line() -> None:
    readme, page = ((ROOT / name).read_text() for name in ("README.md", "docs/quickstart.md"))
    shown = re.search(r"<!-- quickstart-begin -->\n(.*?)\n<!-- quickstart-end -->", readme, flags=re.S)
    assert shown is not None
    lines = re.findall(r"^- (\*\*\w+\*\*: .*?\.) (.*)$", shown[1], flags=re.M)
    verdicts = re.findall(r"^- (\*\*\w+\*\*: .*?\.) (.*)$", page.partition("## Verdicts")[2], flags=re.M)
    assert len(lines) == len(shown[1].splitlines()) == len(verdicts)
    for (claim, short), (judged, sentence) in zip(lines, verdicts, strict=True):
        assert claim == judged
        if decided := re.fullmatch(r"([\d.]+ points lower) \(([\d.]+) to ([\d.]+)\)\.", short):
            assert decided[1] in sentence
            assert f"95 % interval -{decided[3]} to -{decided[2]};" in sentence
        else:
            assert short.removesuffix(" would settle it.") in sentence


def test_the_readme_says_what_it_has_to_in_about_five_hundred_words() -> None:
    text = re.sub(r"^```.*?^```|^[|#].*?$|<!--.*?-->", "", (ROOT / "README.md").read_text(), flags=re.S | re.M)
    assert len(re.sub(r"\]\([^)]*\)", "]", text).split()) <= 500


def test_the_citation_names_the_version_of_the_program() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == orchestrator.__version__


@pytest.mark.parametrize("document", DOCUMENTS)
def test_tests_that_a_document_names_are_in_the_file_that_it_links(document: str) -> None:
    links = re.findall(r"\[`(test_\w+)`\]\(([^)#\s]+)\)", (ROOT / document).read_text())
    files = {link: ((ROOT / document).parent / link).read_text() for _, link in links}
    assert [name for name, link in links if f"def {name}(" not in files[link]] == []


@pytest.mark.parametrize("source", SOURCES)
def test_paths_of_the_repository_that_a_file_mentions_are_there(source: str) -> None:
    folders = "|".join((*PACKAGES, "tests", "docs", "measurements"))
    named = re.findall(
        rf"(?<![\w/.])((?:{folders})(?:/\w+)+\.(?:py|md|yaml|csv|json|png))\b", (ROOT / source).read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_architecture_page_names_every_folder_and_no_other() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"^\| `([a-z_/-]+)/` \|", page, flags=re.M))
    there = {str(Path(name).parent) for name in _tracked() if name.split("/")[0] in PACKAGES}
    assert named == {folder for folder in there if not folder.endswith("templates")}


@pytest.mark.parametrize("source", [name for name in SOURCES if name.endswith((".md", ".yaml", ".toml"))])
def test_file_holds_no_marks_of_an_unfinished_merge(source: str) -> None:
    marks = tuple(sign * 7 + " " for sign in "<>")
    assert [line for line in (ROOT / source).read_text().splitlines() if line.startswith(marks)] == []
