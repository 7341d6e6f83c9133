"""One module per benchmark: its files, prompts, protocols and metrics."""
