"""agent-runtime: an autonomous agent runtime on Supabase with local models."""

__version__ = "0.1.0"
