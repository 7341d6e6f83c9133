"""Write counts, sizes and times for people."""

from __future__ import annotations

from datetime import timedelta


def number_of(count: int, noun: str) -> str:
    """Write a count with its noun: `1 seed`, `1,200 seeds`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def gigabytes(size: int) -> str:
    """Write a size in bytes as gigabytes (1e9 bytes), without the unit: `1,234.5`."""
    return f"{size / 1e9:,.1f}"


def bytes_text(size: int) -> str:
    """Write a size in bytes with the unit that suits it: `512 B`, `1.2 kB`, `34.5 GB`."""
    for exponent, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if size >= 999_950 * 1000 ** (exponent - 2):
            return f"{size / 1000**exponent:,.1f} {unit}"
    return f"{size} B"


def duration(seconds: float) -> str:
    """Write a time that is known roughly: `45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


def clock_time(seconds: float) -> str:
    """Write a time as a clock that runs shows it: ``12.3 s`` below a minute, else ``h:mm:ss``."""
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
