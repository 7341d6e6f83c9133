"""Data of a trial: readers of official files, prepared sources, exact mixes, and batches that no hardware shapes."""
