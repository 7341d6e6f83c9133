"""How are the figures of a report drawn for a paper?"""
