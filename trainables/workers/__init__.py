"""Run a trial in worker processes, and as Ray Tune sees it."""
