"""COPY for a server that takes none from its client: the same rows, in the same binary format, from a file inside the server.

Only the way there differs: what the server does with them, hypertable, unique key and errors included, is its own.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final, LiteralString

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import Format

_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_END: Final = struct.pack("!h", -1)
_FILE: Final = "/tmp/rows"
_FROM_CLIENT: Final = "FROM STDIN"


async def write(
    connection: psycopg.AsyncConnection[Any], statement: LiteralString, types: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """In the place of ``gateway.readings._write``."""
    assert _FROM_CLIENT in statement
    # The names of prepared statements outlive their connection there.
    connection.prepare_threshold = None
    kept = await connection.execute("SELECT lo_from_bytea(0, %s)", [_encoded(connection, types, rows)])
    (number,) = await kept.fetchone() or (None,)
    await connection.execute("SELECT lo_export(%s, %s), lo_unlink(%s)", [number, _FILE, number])
    await connection.execute(statement.replace(_FROM_CLIENT, f"FROM '{_FILE}'"))


def _encoded(connection: psycopg.AsyncConnection[Any], types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> bytes:
    transformer = Transformer(connection)
    transformer.set_dumper_types([connection.adapters.types.get_oid(name) for name in types], Format.BINARY)
    written = bytearray(_HEAD)
    for row in rows:
        written += struct.pack("!h", len(row))
        for value in transformer.dump_sequence(row, [PyFormat.BINARY] * len(row)):
            written += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + bytes(value)
    return bytes(written + _END)
