"""Tell by its first bytes what a file is that is no text."""

from __future__ import annotations

_TABLE = "Save the table as CSV or .xlsx."
_UNPACK = "Unpack it."

_KINDS: tuple[tuple[bytes, str, str | None], ...] = (
    (b"PAR1", "Parquet", "Write the rows as JSON Lines or CSV."),
    (b"ARROW1", "an Arrow (Feather) file", "Write the rows as JSON Lines, CSV or Parquet."),
    (b"ORC", "ORC", "Write the rows as JSON Lines, CSV or Parquet."),
    (b"Obj\x01", "Avro", "Write the rows as JSON Lines, CSV or Parquet."),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a workbook or document of Office before 2007 (.xls, .doc)", _TABLE),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook", None),
    (b"BZh91AY&SY", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a", "a RAR archive", _UNPACK),
    (b"\x1f\x8b", "compressed with gzip, twice", _UNPACK),
    (b"SQLite format 3\x00", "a SQLite database", "Write the rows as JSON Lines or CSV."),
    (b"\x93NUMPY", "a NumPy array", "Write the rows as JSON Lines or CSV."),
    (b"\x89HDF\r\n", "HDF5", "Write the rows as JSON Lines or CSV."),
    *(
        (b"\x80" + bytes([version]) + opcode, "a pickle", None)
        for version in (2, 3, 4, 5)
        for opcode in (b"\x95", b"]", b"}")
    ),
    (b"%PDF-", "a PDF", None),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", None),
    (b"\xff\xd8\xff", "a JPEG picture", None),
    (b"GIF8", "a GIF picture", None),
)
"""First bytes, what such a file is called, and what to do instead."""


def binary_kind(data: bytes) -> tuple[str, str | None] | None:
    """Say what a file is, with a way out, as the end of a sentence that begins "is"; None for what may be text."""
    return next(((kind, way_out) for beginning, kind, way_out in _KINDS if data.startswith(beginning)), None)
