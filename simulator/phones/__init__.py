"""Telephones of the simulated households: real SIP phones behind a small exchange on loopback, each with a way of behaving.

Knows nothing of the platform: whatever dials ``sip:<number>@sim.invalid`` through the exchange reaches a phone.
"""
