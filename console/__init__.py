"""The API and the first page. Asks; the stations decide. Reads any table, read-only; writes nothing but rows in ``requests``."""
