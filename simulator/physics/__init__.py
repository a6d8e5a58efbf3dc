"""The physics of one home: room air, laser detector, gas meter with its valve, and what the household burns.

Pure step functions over frozen states: no clock, no driver, and chance only from the `random.Random` passed
in. Same start, same inputs, same rng: same home. Nothing here knows a topic or the platform.
"""
