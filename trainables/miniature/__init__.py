"""Generate a miniature of every benchmark: drawn scenes with known answers, in the official formats. No torch."""
