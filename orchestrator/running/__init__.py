"""Run trials: the order in which they start, their leases, their dispatch to Ray Tune, and their outcomes."""
