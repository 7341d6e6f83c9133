"""The work of `ablate data`: checks, statistics and targets of training data."""
