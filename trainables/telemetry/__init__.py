"""Measure what a trial does and write it to its spool."""
