"""Read the official files of benchmarks."""
