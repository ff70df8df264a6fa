"""A Python that stays open between the calls of a run."""
