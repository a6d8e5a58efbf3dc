"""``python -m console``: serves the console until it is told to stop. Says where, on stderr, once it listens.

Decides on two doors: without TLS at this machine alone, and with TLS wherever it is told to.
"""

import asyncio
import logging
import signal
import socket
import ssl
import sys
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from console.app import create_app
from console.running import Running
from console.settings import ConsoleSettings
from core.door import close_door
from core.log import configure


class ConsoleServer(uvicorn.Server):
    """Ends the event streams before it waits for connections to finish: they never would by themselves."""

    def __init__(self, config: uvicorn.Config, running: Running, secure: uvicorn.Config | None = None) -> None:
        super().__init__(config)
        self.running = running
        self.secure = secure

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            for listening in server.sockets:
                structlog.get_logger().info("serving", url="http://{}:{}/".format(*listening.getsockname()[:2]))
        if self.secure is not None:
            await self._open(self.secure)

    async def _open(self, secure: uvicorn.Config) -> None:
        """The second door: the same application, the same connections to end at the end."""
        if not secure.loaded:
            secure.load()

        def protocol() -> asyncio.Protocol:
            return secure.http_protocol_class(  # type: ignore[call-arg]  # the server's own HTTP protocols take these; its annotation allows any
                config=secure, server_state=self.server_state, app_state=self.lifespan.state
            )

        try:
            server = await asyncio.get_running_loop().create_server(
                protocol, host=secure.host, port=secure.port, ssl=secure.ssl, backlog=secure.backlog
            )
        except OSError as error:
            structlog.get_logger().error("not serving with TLS", host=secure.host, port=secure.port, reason=str(error))
            self.should_exit = self.failed = True
            return
        self.servers.append(server)
        for listening in server.sockets:
            structlog.get_logger().info("serving", url="https://{}:{}/".format(*listening.getsockname()[:2]))

    failed = False
    """The second door could not be opened."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await close_door(*self.servers)
        self.running.changes.close()
        await super().shutdown(sockets)


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


def serve(settings: ConsoleSettings) -> ConsoleServer:
    """A server for these settings; run it with ``await server.serve()``. Raises OSError and ValueError for a useless certificate."""
    app = create_app(settings)
    plain = _config(app, settings.http_host, settings.http_port)
    secure = None
    if settings.tls_cert is not None and settings.tls_key is not None:
        secure = _config(app, settings.https_host, settings.https_port, ssl_certfile=settings.tls_cert, ssl_keyfile=settings.tls_key)
        secure.load()
        if secure.ssl is not None:
            secure.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return ConsoleServer(plain, app.state.running, secure)


def _config(app: FastAPI, host: str, port: int, **tls: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
        loop="asyncio",
        **tls,
    )


def _stopped(*_: object) -> None:
    raise SystemExit(0)


def main() -> int:
    """Exit status 0 when stopped, 2 on settings that cannot be used, 3 when a port is taken."""
    try:
        settings = ConsoleSettings()
    except ValidationError as error:
        for problem in error.errors():
            where = "_".join(str(part) for part in problem["loc"]).upper() or "*"
            print(f"GAS_SENTINEL_{where}: {problem['msg']}", file=sys.stderr)  # noqa: T201  read by whoever started it; there is no log yet
        return 2
    configure("console", settings.log_level)
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING)
    try:
        server = serve(settings)
    except (OSError, ValueError) as error:
        print(f"GAS_SENTINEL_TLS_CERT, GAS_SENTINEL_TLS_KEY: {error}", file=sys.stderr)  # noqa: T201  read by whoever started it
        return 2
    # uvicorn raises the signal that stopped it once more when all is closed: being told to stop is no failure.
    signal.signal(signal.SIGTERM, _stopped)
    try:
        asyncio.run(server.serve())
    except SystemExit as end:
        # Any other status is uvicorn's word for a port that it could not bind; it was logged.
        return 0 if end.code == 0 else 3
    except KeyboardInterrupt:
        return 0
    return 3 if server.failed else 0


if __name__ == "__main__":
    sys.exit(main())
