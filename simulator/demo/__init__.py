"""What a demonstration may do to the simulated district: start leaks of its own choice, and look at its telephones.

Reached over a loopback port (``port``); knows the world's own machinery and nothing of the platform.
"""
