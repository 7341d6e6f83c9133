"""Commands of the command line, grouped by subject. Each imports what it needs when it runs."""
