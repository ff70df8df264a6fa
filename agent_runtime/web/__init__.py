"""The web UI's server: the built assets, what the browser must know, and one live stream per open task."""
