"""The table of the Prismatic page is that of the shipped study."""

from __future__ import annotations

from pathlib import Path

from docs.prismatic_table import table


def test_the_table_of_the_page_is_that_of_the_study() -> None:
    """If it is not: `python -m docs.prismatic_table` prints it anew."""
    page = (Path(__file__).parents[2] / "docs" / "prismatic.md").read_text()
    written = page.partition("<!-- table-begin -->\n")[2].partition("\n<!-- table-end -->")[0]
    assert written == table()
