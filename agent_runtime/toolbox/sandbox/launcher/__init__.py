"""The process that starts commands. It imports the standard library alone, so that it is small; see serve.py."""
