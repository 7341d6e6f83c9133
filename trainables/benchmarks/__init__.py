"""Benchmarks: examples from prepared sources, and their scores. No torch."""
