"""The database: applying the SQL, and calling its functions."""
