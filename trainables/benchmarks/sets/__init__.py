"""Define the benchmarks, one module each: files, prompts, protocols and metrics."""
