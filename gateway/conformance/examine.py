"""One examination from the first connection to the report."""

import ssl

from gateway.conformance.bench import Bench
from gateway.conformance.report import Report, report
from gateway.conformance.trial import try_device


async def examine(bench: Bench, host: str, port: int, username: str, password: str, tls: ssl.SSLContext | None = None) -> Report:
    """Take the platform's place at a broker, try the device, and say what was found. Raises LinkError where the broker refuses us."""
    try:
        await bench.connect(host, port, username, password, tls)
        came = await try_device(bench)
    finally:
        await bench.stop()
    return report(bench, came)
