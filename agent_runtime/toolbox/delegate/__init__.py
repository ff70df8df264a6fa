"""Giving work away: what a call that spawned tasks is told of them, and how their results are checked."""
