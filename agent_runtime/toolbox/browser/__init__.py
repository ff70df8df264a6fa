"""A real Chromium: finding it and reading pages with it."""
