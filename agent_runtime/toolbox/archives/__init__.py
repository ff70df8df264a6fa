"""Archives: what is in them, and unpacking them so that nothing of them lands elsewhere or has no end."""
