"""Read evaluation sets and score answers to them. No torch."""
