"""How the platform runs: the ``gas-sentinel`` command and the embedded parts on one machine. Decides nothing about gas."""
