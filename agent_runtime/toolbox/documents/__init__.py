"""Reading documents: HTML, PDF and what else is not plain text."""
