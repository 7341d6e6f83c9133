"""What a terminal shows: plans, progress, status, verdicts."""
