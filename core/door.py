"""The end of a listening socket in an event loop, without losing who is just coming in.

Before Python 3.12, a connection that is accepted in the turn of the loop before its server closes is neither served nor closed: its peer
waits for nothing.
"""

import asyncio
from typing import Final

_TURNS: Final = 4
"""After accepting: its transport is made, its protocol told of it, its task begun."""


async def close_door(*servers: asyncio.Server) -> None:
    """Nobody new comes in; when this is over, everybody who was let in is known to the server's protocol or callback."""
    loop = asyncio.get_running_loop()
    for server in servers:
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())
    for _turn in range(_TURNS):
        await asyncio.sleep(0)
    for server in servers:
        server.close()
