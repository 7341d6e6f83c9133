"""Check on one GPU, within a quarter of an hour, what is said about GPUs: speed, memory, losses, leftovers."""
