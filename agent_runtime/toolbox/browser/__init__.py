"""A real Chromium that lives as long as its run: finding it, starting it, seeing and using pages in it."""
