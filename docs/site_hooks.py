"""Make the site of the documents out of what the repository has: ``make docs`` (mkdocs reads this as its hooks).

Navigation follows docs/README.md. Pages from outside this folder are the README and its neighbours, a reference of all
commands made from the program, and one of `orchestrator.api` made from its docstrings. Links to files that have no page
become their paths.
"""

from __future__ import annotations

import inspect
import posixpath
import re
from pathlib import Path

import typer
import typer.cli
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OF_THE_REPOSITORY = {
    "README.md": "overview.md",
    "AGENTS.md": "agents.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files of the repository that are pages, and where."""
COMMANDS, PYTHON = "commands.md", "python.md"
REFERENCE = [COMMANDS, PYTHON, OF_THE_REPOSITORY["AGENTS.md"], "skill/SKILL.md"]
PROJECT = [OF_THE_REPOSITORY["CONTRIBUTING.md"], OF_THE_REPOSITORY["CHANGELOG.md"]]

_BLOCK = re.compile(r"(^```.*?^```$)", flags=re.S | re.M)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation."""
    config.nav = navigation((ROOT / "docs" / "README.md").read_text())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that no file of docs/ is."""
    for name, page in OF_THE_REPOSITORY.items():
        text = with_links_of_the_site((ROOT / name).read_text(), name, page)
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, COMMANDS, content=command_reference()))
    files.append(File.generated(config, PYTHON, content=python_reference()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the links of a page that is a file of docs/."""
    uri = page.file.src_uri
    is_file_of_docs = page.file.generated_by is None
    return with_links_of_the_site(markdown, f"docs/{uri}", uri) if is_file_of_docs else markdown


def navigation(index: str) -> list[dict[str, list[str]]]:
    """List sections and pages as the index of the documents has them, and what is generated after them.

    Args:
        index: Markdown of docs/README.md.
    """
    sections: list[dict[str, list[str]]] = [{"Start": ["README.md", OF_THE_REPOSITORY["README.md"]]}]
    for section in index.split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        sections.append({title.strip(): re.findall(r"\]\((\w[\w-]*\.md)\)", text)})
    return [*sections, {"Reference": REFERENCE}, {"Project": PROJECT}]


def with_links_of_the_site(markdown: str, source: str, page: str) -> str:
    """Rewrite the links of a document for the place of its page; what has no page is named by its path.

    Args:
        markdown: of the document.
        source: its path in the repository.
        page: its path on the site.
    """

    def rewritten(match: re.Match[str]) -> str:
        image, text, target, anchor = match[1], match[2], match[3], match[4] or ""
        if not target or re.match(r"[a-z]+:", target):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        place = OF_THE_REPOSITORY.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if place is None or (not image and place.endswith(".py")):
            return text if posixpath.basename(path) in text else f"{text} (`{path}`)"
        return f"{image}[{text}]({posixpath.relpath(place, posixpath.dirname(page) or '.')}{anchor})"

    parts = _BLOCK.split(markdown)
    return "".join(part if number % 2 else _LINK.sub(rewritten, part) for number, part in enumerate(parts))


def command_reference() -> str:
    """Write a page about all commands from what the program knows of them."""
    from orchestrator.cli import app

    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="ablate")
    text = typer.cli.get_docs_for_click(obj=command, ctx=context, name="ablate", title="Commands")

    def complete(match: re.Match[str]) -> str:  # typer cuts the sentences of its list
        sentences = inspect.cleandoc(command.commands[match[1]].help or "").split("\n\n")[0]
        return f"* [`{match[1]}`](#ablate-{match[1]}): {' '.join(sentences.split())}"

    first, mark, rest = text.partition("\n## ")
    return re.sub(r"^\* `([a-z][a-z-]*)`: .*$", complete, first, flags=re.M) + mark + rest


def python_reference() -> str:
    """Write a page that has mkdocstrings show every name of `orchestrator.api` from where it is defined."""
    import orchestrator.api as api

    assert api.__doc__ is not None
    first, _, example = api.__doc__.partition("\n")
    parts = ["# From Python", first, f"```python\n{example.strip()}\n```"]
    for name in sorted(api.__all__, key=lambda name: (name[0].isupper(), name)):
        parts.append(f"::: {getattr(api, name).__module__}.{name}")
    return "\n\n".join(parts) + "\n"
