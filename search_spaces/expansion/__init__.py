"""Expand a study into a plan: axes, arms, resolved specs, the graph of shared stages."""
