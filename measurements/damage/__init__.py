"""Measure what every command makes of every damaged file on storage: `python -m measurements.damage`."""
