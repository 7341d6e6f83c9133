"""Parse and score answers, by the rules that benchmarks share."""
