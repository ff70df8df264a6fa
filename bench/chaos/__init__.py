"""Chaos: workers, connections and Postgres are cut down, and what came of the tasks is compared with the world."""
