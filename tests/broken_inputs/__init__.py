"""Inputs broken by a generator, one file per kind of input: none is accepted in silence, none ends in a traceback."""
