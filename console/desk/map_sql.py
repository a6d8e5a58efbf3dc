"""The statements of the map, each scoped. Decides what counts where; refuses to know how it is drawn.

What the registry says (how many homes, and where) is read apart from what goes on there, because it changes a thousand times less often.
A home counts once for each condition, however many of its devices are concerned; what is retired counts nowhere.
"""

from typing import Final, LiteralString

from console.access.in_scope import incident_in_scope
from console.access.scope import home_in_scope

_HERE: Final = home_in_scope("h")
_INCIDENT: Final = incident_in_scope("i")
_WANTED: Final[LiteralString] = """(%(district_code)s::text IS NULL OR h.district_code = %(district_code)s)
      AND (%(community)s::text IS NULL OR h.community = %(community)s) AND (%(estate)s::text IS NULL OR h.estate = %(estate)s)"""
_CONDITIONS: Final[LiteralString] = f"""
    FROM home_conditions c JOIN homes h USING (home_id)
    WHERE c.ended_ms IS NULL AND h.retired_at IS NULL AND {_HERE}"""
_OPEN: Final[LiteralString] = f"""
    FROM incidents i JOIN homes h USING (home_id)
    WHERE i.state = 'open' AND i.kind <> 'canary' AND {_INCIDENT}"""
_ESTATE: Final[LiteralString] = "h.district_code, h.community, h.estate"

ESTATES: Final[LiteralString] = f"""
    SELECT h.district_code, h.community, h.estate, h.coord_datum, min(h.district) AS district, avg(h.lon) AS lon, avg(h.lat) AS lat,
           count(*) AS homes, count(h.lon) AS placed
    FROM homes h WHERE h.retired_at IS NULL AND {_HERE}
    GROUP BY h.district_code, h.community, h.estate, h.coord_datum"""
BUILDINGS: Final[LiteralString] = f"""
    SELECT h.district_code, h.community, h.estate, h.building, h.coord_datum, avg(h.lon) AS lon, avg(h.lat) AS lat,
           count(*) AS homes, count(h.lon) AS placed
    FROM homes h WHERE h.retired_at IS NULL AND {_HERE} AND {_WANTED}
    GROUP BY h.district_code, h.community, h.estate, h.building, h.coord_datum"""
CONDITIONS: Final[LiteralString] = f"""
    SELECT {_ESTATE}, c.condition, count(DISTINCT h.home_id) AS homes {_CONDITIONS} GROUP BY {_ESTATE}, c.condition"""
OPEN: Final[LiteralString] = f"""
    SELECT {_ESTATE}, 'open' AS condition, count(*) AS homes {_OPEN} GROUP BY {_ESTATE}"""
GOING_ON_IN_ESTATE: Final[LiteralString] = f"""
    SELECT {_ESTATE}, h.building, c.condition, count(DISTINCT h.home_id) AS homes {_CONDITIONS} AND {_WANTED}
    GROUP BY {_ESTATE}, h.building, c.condition
    UNION ALL
    SELECT {_ESTATE}, h.building, 'open', count(*) {_OPEN} AND {_WANTED} GROUP BY {_ESTATE}, h.building"""
