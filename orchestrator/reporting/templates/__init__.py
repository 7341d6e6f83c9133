"""Templates of the report's forms."""
