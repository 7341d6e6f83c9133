"""Keep, name, lease and spool what a study produces."""
