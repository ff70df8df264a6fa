"""The access matrix: what is declared in `sql/access.yaml`, tried by SQL and by the REST API."""
