"""The table of claims of the page on tables is what the program says of the published scores."""

from __future__ import annotations

from pathlib import Path

from docs.prismatic_claims import table


def test_the_table_of_claims_is_what_the_methods_say() -> None:
    """If it is not: `python -m docs.prismatic_claims` prints it anew."""
    page = (Path(__file__).parents[2] / "docs" / "tables.md").read_text()
    written = page.partition("<!-- table-begin -->\n")[2].partition("\n<!-- table-end -->")[0]
    assert written == table()
