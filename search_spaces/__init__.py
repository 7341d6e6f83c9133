"""Say what to run: read a study file, expand it into trials, and identify every piece of work."""
