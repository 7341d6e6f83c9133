"""When each trial runs, and what became of it: schedule, hand-out, leases, Ray Tune."""
