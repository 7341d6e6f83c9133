"""When trials run, what is remembered of them, and what they showed."""
