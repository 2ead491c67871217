"""Weights to a network as an archive holds it, in a library and precision."""
