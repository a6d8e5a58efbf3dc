"""PostgreSQL and the broker on one machine, without root and without Docker. Knows files, ports and processes, and no gas."""
