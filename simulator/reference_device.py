"""A device that keeps the contract, for vendors to read and copy: ``python -m simulator.reference_device --help``.

Plays one detector or one valve meter against any platform of the device contract v1, over aiomqtt and MQTT 3.1.1. Decides what a
device decides: what to say, how long to repeat it, whether to obey. Knows the contract and nothing else; its physics is a toy.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import socket
import ssl
import sys
import time
from typing import Any

import aiomqtt

Item = dict[str, Any]
REGISTER_STEP_M3 = 0.01
COMMANDS = ("close_valve", "open_valve", "self_test", "report")


class Device:
    """What detector and meter share: identity, status, alarms that do not give up, and answers to commands."""

    kind = "device"

    def __init__(self, account: str, interval_s: float = 60.0, repeat_s: tuple[float, float] = (5.0, 60.0)) -> None:
        self.account, self.interval_s, self.repeat_s = account, interval_s, repeat_s
        # Counts up with every start. A real device keeps it in flash, and so its last order number and the two dictionaries below.
        self.boot, self.seq = int(time.time()), 0
        self.unacknowledged: dict[tuple[int, int, int], asyncio.Event] = {}
        self.answers: dict[str, Item] = {}  # command_id -> our last answer
        self.client: aiomqtt.Client | None = None
        self.session: asyncio.Future[None] | None = None
        self.away_s = (0.5, 5.0)
        self.tasks: set[asyncio.Future[None]] = set()

    def item(self, **fields: Any) -> Item:
        """A new item. (device, ts, boot, seq) is its identity: a repeat is sent with all of them unchanged."""
        self.seq += 1
        return {"ts": time.time_ns() // 1_000_000, "boot": self.boot, "seq": self.seq, **fields}

    def status(self, online: bool) -> Item:
        about: Item = {"model": f"reference-{self.kind}", "firmware": "1.0", "connectivity": "always_on"}
        return self.item(online=online, report_interval_s=max(1, round(self.interval_s)), **about)

    def reading(self) -> Item:
        raise NotImplementedError

    async def carry_out(self, command: Item) -> None:
        raise NotImplementedError

    def beside(self, work: Any) -> None:
        """Run beside everything else: a valve that travels must not keep us from hearing the next order."""
        self.tasks.add(task := asyncio.ensure_future(work))
        task.add_done_callback(self.tasks.discard)

    async def send(self, lane: str, item: Item, retain: bool = False) -> None:
        """QoS 1, or let it be: telemetry is due again, an alarm is repeated, a missing answer is asked for again."""
        if self.client is not None:
            with contextlib.suppress(aiomqtt.MqttError):
                await self.client.publish(f"gas/v1/{self.account}/up/{lane}", json.dumps(item), qos=1, retain=retain)

    async def raise_alarm(self, **fields: Any) -> None:
        """Say it until the platform has it: the broker's PUBACK promises nothing, ``down/ack`` with this identity does."""
        alarm = self.item(**fields)
        heard = self.unacknowledged[alarm["ts"], alarm["boot"], alarm["seq"]] = asyncio.Event()
        wait_s, longest_s = self.repeat_s
        while not heard.is_set():
            say(f"报警 {fields['event']}", f"alarm {fields['event']}")
            await self.send("alarm", alarm)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), wait_s)
            wait_s = min(2 * wait_s, longest_s)
        say("平台已收妥报警", "the platform has the alarm")

    async def answer(self, command: Item, result: str, **fields: Any) -> None:
        """``up/ack``. The answer is kept, for the command may come again."""
        about = {name: command.get(name) for name in ("command_id", "order_no", "incident_id", "command")}
        self.answers[command["command_id"]] = self.item(**about, result=result, **fields)
        if len(self.answers) > 64:
            del self.answers[next(iter(self.answers))]
        say(f"指令 {command['command']} {result}", f"command {command['command']} {result}")
        await self.send("ack", self.answers[command["command_id"]])

    async def on_command(self, command: Item) -> None:
        if command["command_id"] in self.answers:  # carried out once, answered every time
            await self.send("ack", self.answers[command["command_id"]])
        elif command["command"] not in COMMANDS:
            say(f"不认识的指令 {command['command']}", f"no command of this version: {command['command']}")
        elif command["command"] != "close_valve" and time.time() * 1000 > command["expires_at"]:
            await self.answer(command, "expired")  # binds open, self_test and report: a close does not age
        else:
            await self.carry_out(command)

    async def report(self) -> None:
        await self.send("telemetry", self.reading())

    async def live(self, host: str, port: int, password: str | None, tls: ssl.SSLContext | None = None) -> None:
        """Connect again and again to the same session: what was sent to us while we were away is waiting there."""
        no_delay = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        while True:
            will = aiomqtt.Will(f"gas/v1/{self.account}/up/status", json.dumps(self.status(False)), qos=1, retain=True)
            try:  # user name, client id and topic are all the account
                async with aiomqtt.Client(
                    *(host, port),
                    username=self.account,
                    password=password,
                    identifier=self.account,
                    clean_session=False,
                    keepalive=60,
                    will=will,
                    tls_context=tls,
                    socket_options=no_delay,
                ) as self.client:
                    self.session = asyncio.ensure_future(self.converse(self.client))
                    await asyncio.wait([self.session])
                    if not self.session.cancelled():  # or we were rebooted
                        self.session.result()
            except aiomqtt.MqttError as error:
                say(f"未连接：{error}", f"not connected: {error}")
            finally:
                self.client = None
                if self.session is not None:
                    self.session.cancel()
            await asyncio.sleep(random.uniform(*self.away_s))  # not all homes of a city at once

    async def converse(self, client: aiomqtt.Client) -> None:
        """First our ears, then who we are and what we measure, then whatever we are told."""
        await client.subscribe([(f"gas/v1/{self.account}/down/command", 1), (f"gas/v1/{self.account}/down/ack", 1)])
        await self.send("status", self.status(True), retain=True)
        say("已连接", "connected")
        self.beside(self.report())
        async for message in client.messages:
            self.heed(message.topic.value, json.loads(bytes(message.payload)))

    def heed(self, topic: str, body: Item) -> None:
        if body["device_id"] != self.account:
            return  # not ours: a hub would pass it on
        if topic.endswith("/down/command"):
            self.beside(self.on_command(body))
        elif heard := self.unacknowledged.pop((body["ts"], body["boot"], body["seq"]), None):
            heard.set()

    def reboot(self) -> None:
        """The power was gone. What stands in flash is still known, alarms without their ``down/ack`` too; an open that waited is not."""
        say("重启", "rebooting")
        self.boot, self.seq = self.boot + 1, 0
        if self.session is not None:
            self.session.cancel()

    async def keep_reporting(self) -> None:
        while True:
            await asyncio.sleep(self.interval_s)
            await self.report()


class Detector(Device):
    """A laser methane detector."""

    kind, ch4_lel, state = "detector", 0.2, "normal"

    async def leak(self, after_s: float) -> None:
        """The kitchen fills with gas."""
        await asyncio.sleep(after_s)
        self.ch4_lel, self.state = 18.0, "alarm"
        self.beside(self.report())
        await self.raise_alarm(event="leak", ch4_lel=self.ch4_lel)

    def reading(self) -> Item:
        return self.item(ch4_lel=self.ch4_lel, state=self.state, power="mains")

    async def carry_out(self, command: Item) -> None:
        if command["command"] in ("report", "self_test"):
            await self.report()
            await self.answer(command, "done")
        else:
            await self.answer(command, "rejected", detail="a detector has no valve")


class Meter(Device):
    """A gas meter with a valve. ``key_pressed``: somebody stands before it and presses the key when an open comes."""

    kind, valve, volume_m3, order_no, key_pressed, travel_s = "meter", "open", 120.0, 0, False, 2.0
    read_at = time.monotonic()

    def status(self, online: bool) -> Item:
        return {**super().status(online), "register_step_m3": REGISTER_STEP_M3}

    def reading(self) -> Item:
        flow_m3h = 0.0 if self.valve == "closed" else 0.3
        self.volume_m3 += flow_m3h * (time.monotonic() - self.read_at) / 3600
        self.read_at = time.monotonic()
        shown = round(self.volume_m3 // REGISTER_STEP_M3 * REGISTER_STEP_M3, 2)
        return self.item(volume_m3=shown, flow_m3h=flow_m3h, valve=self.valve, cause="command" if self.valve == "closed" else None)

    async def carry_out(self, command: Item) -> None:
        if command["command"] in ("report", "self_test"):
            await self.report()
            await self.answer(command, "done", valve=self.valve)
        elif command["order_no"] < self.order_no:  # a later order has been followed: this one is history
            await self.answer(command, "rejected", valve=self.valve, detail="superseded")
        else:
            self.order_no, boot = command["order_no"], self.boot
            await self.answer(command, "accepted", valve=self.valve)
            await (self.close(command) if command["command"] == "close_valve" else self.open(command, boot))

    async def close(self, command: Item) -> None:
        """Whatever our clock says of it. *Done* is said when the valve is seen closed, not when it starts to move."""
        await self.move("closing", "closed")
        await self.answer(command, "done", valve=self.valve)
        await self.report()

    async def open(self, command: Item, boot: int) -> None:
        """Never by itself: a person at the meter presses the key before the order of this boot expires, or nothing moves."""
        left_s = command["expires_at"] / 1000 - time.time()
        say(f"请在 {left_s:.0f} 秒内按键开阀", f"press the key within {left_s:.0f} s to open")
        await self.at_the_key(left_s)
        if self.boot != boot:  # forgotten with the power: an open is never kept
            return
        if self.order_no != command["order_no"]:  # a close came in between: the key does nothing
            await self.answer(command, "rejected", valve=self.valve, detail="superseded")
        elif not self.key_pressed:
            await self.answer(command, "expired", valve=self.valve)
        else:
            await self.move("opening", "open")
            await self.answer(command, "done", valve=self.valve)
            await self.report()

    async def at_the_key(self, left_s: float) -> None:
        """Until the key is pressed, or the order has expired."""
        await asyncio.sleep(min(1.0, left_s) if self.key_pressed else left_s)

    async def tamper(self, after_s: float) -> None:
        """Somebody tilts the meter."""
        await asyncio.sleep(after_s)
        await self.raise_alarm(event="tamper", valve=self.valve)

    async def move(self, on_the_way: str, at_the_end: str) -> None:
        self.reading()  # what flowed until now
        self.valve = on_the_way
        await asyncio.sleep(self.travel_s)
        self.valve = at_the_end


def say(zh: str, en: str) -> None:
    sys.stderr.write(f"{zh} / {en}\n")


async def play(options: argparse.Namespace) -> None:
    device = (Meter if options.kind == "meter" else Detector)(options.account, options.interval)
    if isinstance(device, Meter):
        device.key_pressed = options.confirm_open
        if options.tamper_after is not None:
            device.beside(device.tamper(options.tamper_after))
    elif isinstance(device, Detector) and options.leak_after is not None:
        device.beside(device.leak(options.leak_after))
    device.beside(device.keep_reporting())
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, device.reboot)
    tls = None
    if options.ca or options.host not in ("127.0.0.1", "::1", "localhost"):
        tls = ssl.create_default_context(cafile=options.ca)
        if options.certificate:  # identity = account: then there is no password
            tls.load_cert_chain(options.certificate, options.key)
    await device.live(options.host, options.port, options.password, tls)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulator.reference_device", description="参考设备 / a device that keeps the contract")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="消息代理 / the broker; TLS outside the loopback")
    add("--port", type=int, default=1883)
    add("--account", required=True, help="设备号 / device id = MQTT user name = client id")
    add("--password", help="口令 / of its account, where it has no certificate")
    add("--ca", metavar="PEM", help="平台的 CA 证书 / whom to believe that he is the platform")
    add("--certificate", metavar="PEM", help="设备证书 / its own certificate of the utility's CA")
    add("--key", metavar="PEM", help="证书私钥 / the key of its certificate")
    add("--kind", choices=("detector", "meter"), required=True)
    add("--interval", type=float, default=60.0, metavar="S", help="上报间隔（秒） / seconds between readings")
    add("--leak-after", type=float, metavar="S", help="几秒后漏气 / detector: gas leaks after S seconds")
    add("--tamper-after", type=float, metavar="S", help="几秒后有人拆动 / meter: somebody tampers with it after S seconds")
    # To see it reboot: kill -HUP.
    add("--confirm-open", action="store_true", help="有人按键开阀 / meter: somebody presses the key when an open comes")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(play(parser.parse_args()))


if __name__ == "__main__":
    main()
