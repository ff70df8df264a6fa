"""Where commands run: namespaces, Landlock, limits, and the processes themselves."""
