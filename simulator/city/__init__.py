"""A city that could be Changsha: real districts, subdistricts and communities, and everything inside them invented.

Decides who lives where, with which devices and telephones, from a number of homes and a seed alone. Speaks to the platform only
through the registry file it writes. Every row is marked simulated and every telephone is `sip:<number>@sim.invalid`.
"""

from simulator.city.crews import crews_csv
from simulator.city.registry_file import write_city

__all__ = ["crews_csv", "write_city"]
