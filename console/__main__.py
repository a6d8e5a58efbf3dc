"""``python -m console``: serves the console until it is told to stop. Says where, on stderr, once it listens."""

import asyncio
import logging
import signal
import socket
import sys

import structlog
import uvicorn
from pydantic import ValidationError

from console.app import create_app
from console.running import Running
from console.settings import ConsoleSettings
from core.log import configure


class ConsoleServer(uvicorn.Server):
    """Ends the event streams before it waits for connections to finish: they never would by themselves."""

    def __init__(self, config: uvicorn.Config, running: Running) -> None:
        super().__init__(config)
        self.running = running

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for listening in server.sockets:
                structlog.get_logger().info("serving", url="http://{}:{}/".format(*listening.getsockname()[:2]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.running.changes.close()
        await super().shutdown(sockets)


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


def serve(settings: ConsoleSettings) -> ConsoleServer:
    """A server for these settings; run it with ``await server.serve()``."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        loop="asyncio",
    )
    return ConsoleServer(config, app.state.running)


def _stopped(*_: object) -> None:
    raise SystemExit(0)


def main() -> int:
    """Exit status 0 when stopped, 2 on settings that cannot be used, 3 when the port is taken."""
    try:
        settings = ConsoleSettings()
    except ValidationError as error:
        for problem in error.errors():
            where = "_".join(str(part) for part in problem["loc"]).upper()
            print(f"GAS_SENTINEL_{where}: {problem['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    configure("console", settings.log_level)
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING)
    server = serve(settings)
    # uvicorn raises the signal that stopped it once more when all is closed: being told to stop is no failure.
    signal.signal(signal.SIGTERM, _stopped)
    try:
        asyncio.run(server.serve())
    except SystemExit as end:
        # Any other status is uvicorn's word for a port that it could not bind; it was logged.
        return 0 if end.code == 0 else 3
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
