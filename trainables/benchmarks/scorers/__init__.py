"""Parse and score answers by the rules that several benchmarks share."""
