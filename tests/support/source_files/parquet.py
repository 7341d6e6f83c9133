"""A conversation about an image and one without, in Parquet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from search_spaces.spec import SourceSpec
from tests.support.small_images import png
from tests.support.source_files.llava_json import CONVERSATION, WITHOUT_IMAGE


def write_parquet(folder: Path) -> SourceSpec:
    """Write a small Parquet file, and describe it as a source."""
    table = pa.table({"id": ["a", "b"], "image": [png(), None], "conversations": [CONVERSATION, WITHOUT_IMAGE]})
    pq.write_table(table, folder / "data.parquet")
    return SourceSpec(name="parquet", version="1", reader="parquet", path="data.parquet")


WRITERS: dict[str, Callable[[Path], SourceSpec]] = {"parquet": write_parquet}
