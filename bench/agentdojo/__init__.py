"""`python -m bench.agentdojo`: a model that obeys every injection that it reads, its calls through the real gate. See docs/taint.md."""
