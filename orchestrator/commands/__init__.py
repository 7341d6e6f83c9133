"""The commands of the command line, grouped by what they are about. Each imports what it needs when it runs."""
