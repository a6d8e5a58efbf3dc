"""The repair crews of a simulated city, for its size.

Decides how many crews each district keeps, where they stand and when they are on duty. The first two of a district are
on duty round the clock, so that no hour and no district is without one; further crews share the day.
"""

import csv
import io
import random
from collections import Counter

from simulator.city.boundary import districts
from simulator.city.estate import plan_estates
from simulator.city.household import invented_name, simulated_phone

COLUMNS = (
    "crew_id", "technician_id", "name", "phone", "district_code", "lon", "lat", "coord_datum", "shift_start", "shift_end",
    "simulated",
)  # fmt: skip

HOMES_PER_CREW = 25_000
CREWS_PER_DISTRICT = 2
TECHNICIANS_PER_CREW = 2
_ALWAYS = ("00:00", "24:00")
_SHARED = (("08:00", "20:00"), ("20:00", "08:00"))


def crews_csv(homes: int, seed: int) -> str:
    """The crews of a city as the text of a registry file, one row a technician. Raises ValueError below one home."""
    homes_by_district: Counter[str] = Counter()
    middles: dict[str, tuple[float, float]] = {}
    for estate in plan_estates(homes, seed):
        homes_by_district[estate.community.district_code] += estate.homes
        middles.setdefault(estate.community.district_code, estate.community.centre)
    rng = random.Random(f"crews {seed}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    technician = 0
    for code in sorted(homes_by_district):
        for ordinal in range(max(CREWS_PER_DISTRICT, -(-homes_by_district[code] // HOMES_PER_CREW))):
            lon, lat = districts()[code].near(middles[code], 1500.0, rng)
            shift = _ALWAYS if ordinal < CREWS_PER_DISTRICT else _SHARED[ordinal % 2]
            for _ in range(TECHNICIANS_PER_CREW):
                technician += 1
                person = (f"T{technician:04d}", invented_name("zh", rng), simulated_phone(9, technician, 0))
                place = (code, f"{lon:.6f}", f"{lat:.6f}", "WGS-84")
                writer.writerow((f"C{code}-{ordinal + 1:02d}", *person, *place, *shift, "true"))
    return text.getvalue()
