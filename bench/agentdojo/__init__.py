"""`python -m bench.agentdojo`: a model that obeys every injection, its calls through the real gate. See docs/taint.md."""
