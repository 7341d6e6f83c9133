"""When trials run, what is remembered of them, and what they showed."""

__version__ = "0.2.0"
