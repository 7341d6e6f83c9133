"""The site of the documents is built without a network; its links lead somewhere, its navigation has every page."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import typer

import orchestrator.api
from docs.site_hooks import command_reference, navigation, with_links_of_the_site
from orchestrator.cli import app
from tests.support.command_line import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a link or an anchor that leads nowhere fails the build."""
    folder = tmp_path_factory.mktemp("site")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, **nowhere, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_reached_from_the_navigation(site: Path) -> None:
    start = (site / "index.html").read_text()
    linked = {link.split("#")[0] for link in re.findall(r'class="md-nav__link[^>]*href="([^"]+)"', start)}
    linked |= {link.split("#")[0] for link in re.findall(r'href="([^"]+)"[^>]*class="md-nav__link', start)}
    pages = {str(page.relative_to(site)) for page in site.rglob("*.html")} - {"404.html"}
    assert {"overview.html", "commands.html", "python.html", "own-data.html"} <= pages
    assert pages - linked - {"index.html"} == set()


MEASURE = """
onload = () => {
  const page = document.querySelector("iframe").contentDocument;
  const found = [page.querySelector("h1").textContent, page.documentElement.scrollWidth];
  document.body.innerHTML = "<pre></pre>";
  document.querySelector("pre").textContent = JSON.stringify(found);
}
"""


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Where the site is served on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(
    ("page", "title"),
    [("index", "Documents"), ("own-data", "Your own data"), ("commands", "Commands"), ("python", "From Python")],
)
def test_a_page_is_no_wider_than_the_window(
    page: str, title: str, width: int, site: Path, address: str, tmp_path: Path
) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    frame = f'<iframe src="{page}.html" style="width: {width}px; height: 2000px; border: 0"></iframe>'
    (site / f"measure-{page}.html").write_text(f"<!doctype html><body>{frame}<script>{MEASURE}</script></body>")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--no-proxy-server"]
    command = [chromium, *flags, f"--user-data-dir={tmp_path}", "--dump-dom", f"{address}/measure-{page}.html"]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    (site / f"measure-{page}.html").unlink()
    heading, scroll_width = json.loads(html.unescape(dumped.split("<pre>")[1].split("</pre>")[0]))
    assert heading.startswith(title)
    assert 0 < scroll_width <= width


def test_a_reader_fetches_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        fetched = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="([^"]+)"', page.read_text())
        fetched += re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="([^"]+)"', page.read_text())
        assert [address for address in fetched if re.match(r"(https?:)?//", address)] == [], page.name


def test_every_command_and_every_name_of_the_api_has_a_heading(site: Path) -> None:
    commands = typer.main.get_command(app).commands
    text = (site / "commands.html").read_text()
    assert [name for name in commands if f'id="ablate-{name}"' not in text] == []
    python = (site / "python.html").read_text()
    headings = set(re.findall(r'<h[23] id="[\w.]*?(\w+)"', python))
    assert set(orchestrator.api.__all__) <= headings


def test_commands_are_listed_with_whole_sentences() -> None:
    listed = command_reference().partition("\n## ")[0]
    assert "* [`plan`](#ablate-plan): Show what a study would do" in listed
    assert not re.search(r"\w\.\.\.$", listed.partition("**Commands**")[2], flags=re.M)


def test_the_navigation_has_the_sections_of_the_index_in_their_order() -> None:
    index = (
        "# Documents\n\n## Run it\n\n| [b.md](b.md), [a.md](a.md) | how |\n\n## Read it\n\n| [c.md](c.md) | what |\n"
    )
    assert navigation(index)[1:3] == [{"Run it": ["b.md", "a.md"]}, {"Read it": ["c.md"]}]


@pytest.mark.parametrize(
    ("link", "on_the_site"),
    [
        ("[data](data.md#formats)", "[data](data.md#formats)"),
        ("[README](../README.md)", "[README](overview.md)"),
        ("[the plan](../search_spaces/plan.py)", "the plan (`search_spaces/plan.py`)"),
        ("[plan.py](../search_spaces/plan.py)", "plan.py"),
        ("[elsewhere](https://example.org/a.md)", "[elsewhere](https://example.org/a.md)"),
        ("```\n[a](../b.py)\n```", "```\n[a](../b.py)\n```"),
    ],
)
def test_links_lead_to_pages_and_files_without_a_page_are_named(link: str, on_the_site: str) -> None:
    assert with_links_of_the_site(link, "docs/sizes.md", "sizes.md") == on_the_site


def test_a_page_from_outside_the_folder_links_to_its_pages() -> None:
    text = with_links_of_the_site("![picture](docs/report.png) [own](docs/own-data.md)", "README.md", "overview.md")
    assert text == "![picture](report.png) [own](own-data.md)"
