"""Write counts, sizes and times for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

Device = Literal["GPU", "core", "worker", "device"]
"""What work is counted in: GPUs, CPU cores, or workers where each has several cores; `device` where some of it was
done on GPUs and some on CPUs, or where nobody knows."""


def number_of(count: int, noun: str) -> str:
    """Write a count with its noun: `1 seed`, `1,200 seeds`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def gigabytes(size: int) -> str:
    """Write a size in bytes as gigabytes (1e9 bytes), without the unit: `1,234.5`."""
    return f"{size / 1e9:,.1f}"


def large_unit(largest: int) -> tuple[str, float]:
    """Choose the unit for a column of sizes by the largest of them: its name, and the bytes that it has."""
    return ("GB", 1e9) if largest >= 1e9 else ("MB", 1e6)


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


def device_unit(seconds: float, device: Device) -> tuple[str, float]:
    """Choose the unit for a time of devices: its name, and the seconds that it has. GPUs are paid by the hour.

    Args:
        seconds: of one device.
        device: which one.
    """
    if device == "GPU":
        return ("GPU-hours", 3600.0) if seconds >= 360 else ("GPU-seconds", 1.0)
    if seconds >= 90 * 60:
        return f"{device}-hours", 3600.0
    return (f"{device}-minutes", 60.0) if seconds >= 90 else (f"{device}-seconds", 1.0)


def device_time(seconds: float, device: Device) -> str:
    """Write the time of devices: `3.2 GPU-hours`, `49 GPU-seconds`, `13 core-minutes`."""
    unit, each = device_unit(seconds, device)
    return f"{seconds:.0f} {unit}" if each == 1 else f"{seconds / each:,.3g} {unit}"


def clock_time(seconds: float) -> str:
    """Write a time as a clock that runs shows it: ``12.3 s`` below a minute, else ``h:mm:ss``."""
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
