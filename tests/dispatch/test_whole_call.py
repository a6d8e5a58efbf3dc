"""Dispatch with the real voice worker and real SIP telephones: from the order message to a key pressed by a person."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from core.clock import SystemClock
from core.station import ValveMessage
from deploy.embedded.testing import TestBroker
from dispatch.settings import DispatchSettings
from dispatch.station import Station
from simulator.phones.exchange import PhoneExchange
from tests.dispatch.conftest import Life
from tests.dispatch.played import PATIENCE_S, Line, Records, order_message


@asynccontextmanager
async def voice_worker(socket: Path, proxy: str) -> AsyncIterator[None]:
    told = {"GAS_SENTINEL_VOICE_SOCKET": str(socket), "GAS_SENTINEL_SIM_SIP_PROXY": proxy, "GAS_SENTINEL_LOG_LEVEL": "warning"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "dispatch.voice", env=os.environ | told)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_one_is_busy_and_the_other_presses_1(life: Life, database: str, broker: TestBroker, line: Line, records: Records) -> None:
    clock = SystemClock()
    await records.crew("C1")
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "voice.sock"
        async with PhoneExchange() as phones, voice_worker(socket, phones.listen):
            await phones.set_behaviour("8001", "busy", rings_s=0.2)
            await phones.set_behaviour("8002", "presses_1", rings_s=0.5, listens_s=17)
            settings = DispatchSettings(
                mqtt_host=broker.host,
                mqtt_port=broker.port,
                mqtt_username="dispatch",
                mqtt_password=broker.accounts["dispatch"],
                postgres_dsn=database,
                voice_socket=socket,
            )
            station = Station(settings, clock)
            await station.start()
            try:
                await station.wait_connected(PATIENCE_S)
                async with asyncio.timeout(3 * PATIENCE_S):
                    while not station.health().ok:
                        await asyncio.sleep(0.05)
                now_ms = clock.now_ms()
                message = order_message(at_ms=now_ms, received_ms=now_ms)
                line.say(message)
                await records.until("SELECT 1 FROM calls WHERE cardinality(said) >= 2")
                closed = ValveMessage(message_id=uuid4(), incident_id=message.incident_id, at_ms=clock.now_ms(), valve="reported_closed")
                line.say(closed)
                async with asyncio.timeout(3 * PATIENCE_S):
                    while not await records.rows("SELECT 1 FROM calls WHERE outcome = 'confirmed'"):
                        await asyncio.sleep(0.1)
            finally:
                await station.stop()
    first, second = await records.rows("SELECT * FROM calls ORDER BY attempt")
    assert (first["outcome"], first["sip_code"], first["q850_cause"], first["said"]) == ("busy", 486, 17, [])
    assert (second["key"], second["outcome"], second["reason"]) == ("1", "confirmed", "confirmed")
    stamps = [second[name] for name in ("requested_ms", "placed_ms", "ringing_ms", "answered_ms", "key_ms", "ended_ms")]
    assert stamps == sorted(stamps)
    said = "".join(second["said"])
    assert said.startswith("云栖花园三栋幺单元五零幺室。燃气泄漏，马上离开！")
    assert "还没有收到燃气表的回答" not in said  # it was closed by the time that the sentence came
    assert "燃气表报告阀门已经关闭" in said
