"""The embedded stack: Postgres, the Supabase API, a model server and a worker on one machine, from wheels alone."""
