"""Print the figures of docs/measurements.md, one command for each. No test asserts a time."""
