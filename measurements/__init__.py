"""Measurements: commands that print the figures of docs/measurements.md. No test asserts a time."""
