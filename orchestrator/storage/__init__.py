"""Keep a storage in order: what lies there, what refers to it, what can be freed, and whether it is whole."""
