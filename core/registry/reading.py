"""What changed in the registry since a version, for a station that keeps its own picture of it.

Decides that homes and devices are read as of one moment and in pieces, so that a city that arrives at once does not hold up
the event loop of the line. Refuses to know what the reader makes of it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from sys import intern
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection

from core import collector
from core.registry.model import Contact, Device, Home
from core.store.server_cursor import server_cursor

ROWS_AT_ONCE: Final = 500
"""A few milliseconds of work between two looks at the event loop."""

_VERSION: Final = "SELECT coalesce(max(version), 0) FROM registry_changes"

_HOMES: Final = """
SELECT h.home_id, h.household_no, h.district_code, h.district, h.subdistrict, h.community, h.estate, h.building, h.unit, h.floor,
       h.room, h.riser_id, h.lon, h.lat, h.coord_datum, h.meter_location, h.access_note, h.language, h.flags, h.alarm_lel,
       m.device_id, h.simulated, c.positions, c.names, c.roles, c.phones, h.retired_at IS NOT NULL, h.version
  FROM homes h
  LEFT JOIN devices m ON m.home_id = h.home_id AND m.kind = 'meter' AND m.retired_at IS NULL
  LEFT JOIN (SELECT home_id, array_agg(position ORDER BY position) AS positions, array_agg(name ORDER BY position) AS names,
                    array_agg(role ORDER BY position) AS roles, array_agg(phone ORDER BY position) AS phones
               FROM contacts WHERE home_id IN (SELECT home_id FROM homes WHERE version > %(since)s)
              GROUP BY home_id) c ON c.home_id = h.home_id
 WHERE h.version > %(since)s
"""

_DEVICES: Final = """
SELECT device_no, device_id, kind, home_id, account, made_on, retired_at IS NOT NULL, version
  FROM devices WHERE version > %(since)s
"""


@dataclass(frozen=True, slots=True)
class RegistryRows:
    """Homes and devices that changed, retired ones included, and the version up to which they are complete."""

    version: int
    homes: list[Home]
    devices: list[Device]


async def load_registry(conn: AsyncConnection[Any], since_version: int = 0) -> RegistryRows:
    """Everything that changed after `since_version` (0 = all), as of one moment. `conn` must be outside a transaction.

    Raises psycopg.Error where the database is away.
    """
    given = {"since": since_version}
    homes: list[Home] = []
    devices: list[Device] = []
    with collector.paused(homes, devices):
        async with conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            row = await (await conn.execute(_VERSION)).fetchone()
            async for found in _pieces(conn, "registry_homes", _HOMES, given):
                homes += [_home(columns) for columns in found]
            async for found in _pieces(conn, "registry_devices", _DEVICES, given):
                devices += [Device(*columns) for columns in found]
    return RegistryRows(int(row[0]) if row is not None else 0, homes, devices)


async def _pieces(
    conn: AsyncConnection[Any], name: str, query: LiteralString, given: dict[str, int]
) -> AsyncIterator[list[tuple[Any, ...]]]:
    async with server_cursor(conn, name, binary=True) as cursor:
        await cursor.execute(query, given)
        while found := await cursor.fetchmany(ROWS_AT_ONCE):
            yield found


def _home(columns: tuple[Any, ...]) -> Home:
    home_id, household_no, *names_of_places = columns[:7]
    *plain, flags, alarm_lel, meter_id, simulated, positions, names, roles, phones, retired, version = columns[7:]
    contacts = () if positions is None else tuple(map(Contact, positions, names, roles, phones))
    # A city repeats the names of its places a thousand times; each is kept once.
    places = map(intern, names_of_places)
    values = (home_id, household_no, *places, *plain, tuple(flags), alarm_lel, meter_id, simulated, contacts, retired, version)
    return Home(*values)
