"""`python -m agent_runtime`."""

from agent_runtime.cli import main

main()
