"""`python -m bench.agentdojo`: a model that obeys injections, its calls through the real gate. See docs/taint.md."""
