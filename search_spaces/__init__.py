"""What to run: the study file, its expansion into trials, and the identity of every piece of work."""
