"""The report of a study: one model of what storage shows, and thin views of it."""
