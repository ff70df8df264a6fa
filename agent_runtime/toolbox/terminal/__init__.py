"""Shells that stay open between the calls of a run, each on a terminal of its own."""
