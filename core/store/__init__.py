"""The database: migrations that every station shares, and the pool. One writer a table; the writer is named in its migration."""
