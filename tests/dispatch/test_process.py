"""The process itself: started as it is deployed, killed in the middle of a ladder, started again, stopped."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.clock import SystemClock
from deploy.embedded.processes import free_port
from deploy.embedded.testing import TestBroker
from tests.dispatch.conftest import Life
from tests.dispatch.played import PATIENCE_S, Line, PlayedVoiceWorker, Records, order_message

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def process(database: str, broker: TestBroker, worker: PlayedVoiceWorker, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    told = {
        "MQTT_HOST": broker.host,
        "MQTT_PORT": str(broker.port),
        "MQTT_USERNAME": "dispatch",
        "MQTT_PASSWORD": broker.accounts["dispatch"],
        "POSTGRES_DSN": database,
        "VOICE_SOCKET": str(worker.path),
        "OBSERVE_PORT": str(port),
    }
    environment = {**os.environ, **{f"GAS_SENTINEL_{name}": value for name, value in told.items()}}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dispatch", cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def page(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    text = await reader.read()
    writer.close()
    return text.decode()


async def healthy(port: int) -> None:
    async with asyncio.timeout(3 * PATIENCE_S):
        while True:
            try:
                if "200 OK" in await page(port, "/health"):
                    return
            except OSError:
                pass
            await asyncio.sleep(0.05)


async def test_killed_in_the_middle_of_a_ladder(
    life: Life, database: str, broker: TestBroker, worker: PlayedVoiceWorker, line: Line, records: Records
) -> None:
    now_ms = SystemClock().now_ms()
    await records.crew("C1")
    message = order_message(at_ms=now_ms, received_ms=now_ms)
    port = free_port()
    async with process(database, broker, worker, port) as first_life:
        await healthy(port)
        line.say(message)
        first = await worker.next_call()
        worker.ring(first)
        await line.until_taken(message)
        await records.until("SELECT 1 FROM calls WHERE ringing_ms IS NOT NULL")
        first_life.kill()
        await first_life.wait()
    worker.nobody_answers(first)
    port = free_port()
    async with process(database, broker, worker, port) as second_life:
        second = await worker.next_call()
        assert second.address == "sip:8002@sim.invalid"
        worker.presses(second, "1", "confirmed")
        await records.until("SELECT 1 FROM calls WHERE outcome = 'confirmed'")
        line.say(message)
        await line.until_taken(message, times=2)
        await healthy(port)
        figures = await page(port, "/metrics")
        assert 'dispatch_calls_total{outcome="confirmed"} 1.0' in figures
        assert 'dispatch_messages_total{result="repeated",type="order",way="broker"} 1.0' in figures
        second_life.send_signal(signal.SIGTERM)
        out, _ = await second_life.communicate()
        assert second_life.returncode == 0
        assert out == b""
    assert len(worker.requests) == 2
    (order,) = await records.rows("SELECT * FROM work_orders")
    assert order["state"] == "assigned"
    assert [row["outcome"] for row in await records.rows("SELECT outcome FROM calls ORDER BY attempt")] == ["no_answer", "confirmed"]
