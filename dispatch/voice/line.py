"""The one door to the telephone network: a baresip runtime with an account for each line that there is.

Places calls and hands their events on; decides nothing. Takes no calls and follows no transfer. One runtime lives in a process
and none after it died: ``on_dead`` is the moment for the process to end and be started anew. The canary has an account of its own, to
a telephone on loopback that is always busy (``sink``).
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Literal

import structlog
from baresip import Account, AudioNotActive, AudioRestarted, BaresipError, Call, Config, Runtime, StaleHandleError
from baresip.events import Event, StackEvent
from baresip.ua import UserAgent

from core.errors import GasSentinelError
from core.sound_ports import SOUND_PORTS
from dispatch.voice.route import SIMULATED_HOST, is_loopback
from dispatch.voice.settings import VoiceSettings

Line = Literal["simulated", "canary", "trunk"]

SPARE_LINES: Final = 4
"""Beyond the configured calls at once: for calls that are being let go, and for the canary."""

_UNCLAIMED: Final = 1000
_CANARY_CALLER: Final = "canary-caller"


class DialError(GasSentinelError):
    """The stack did not send an INVITE."""


class Leg:
    """One call on the wire: its events come to ``listener``, its sound is 8 kHz 16-bit mono PCM."""

    def __init__(self, call: Call) -> None:
        self._call = call

    @property
    def ready(self) -> bool:
        """Whether sound may be written."""
        try:
            return bool(self._call.audio.info().tx_ready)
        except AudioNotActive:
            return False

    def write(self, pcm: bytes) -> int:
        """Queue sound; returns the bytes taken, 0 while the media is being renegotiated or gone."""
        try:
            return int(self._call.audio.write(pcm))
        except (AudioNotActive, AudioRestarted):
            return 0

    @property
    def queued(self) -> int:
        """Bytes written and not yet sent."""
        try:
            return int(self._call.audio.info().tx_buffered)
        except AudioNotActive:
            return 0

    def hush(self) -> None:
        """Drop what is queued."""
        try:
            self._call.audio.flush_tx()
        except (AudioNotActive, AudioRestarted):
            return

    async def hang_up(self) -> None:
        """End the call, answered or not. A call that is gone already is no error."""
        try:
            await self._call.hangup()
        except (StaleHandleError, BaresipError):
            return


class TelephoneNetwork:
    """The running stack."""

    def __init__(self, settings: VoiceSettings, on_dead: Callable[[], None], canary: str) -> None:
        """``canary`` is host:port of the canary's telephone. Raises ValueError when that is not on loopback."""
        if not is_loopback(canary):
            raise ValueError(f"the canary's telephone must be on loopback, not at {canary!r}")
        self._settings = settings
        self._canary = canary
        self._on_dead = on_dead
        self._runtime = Runtime()
        self._agents: dict[Line, UserAgent] = {}
        self._taps: dict[int, Callable[[StackEvent], None]] = {}
        self._unclaimed: OrderedDict[int, list[StackEvent]] = OrderedDict()
        self._refusals: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger()
        self.alive = False

    async def start(self) -> None:
        """Bring the stack up with an account for each configured line. Raises BaresipError."""
        settings = self._settings
        self._runtime.on_dead = self._died
        self._runtime.subscribe(self._on_event)
        await self._runtime.start(
            Config(
                net_interface=_local_address(settings.sip_trunk),
                max_concurrent_calls=settings.max_concurrent_calls + SPARE_LINES,
                rtp_timeout=0,
                native_log_level="warning",
                extra_config_text=SOUND_PORTS,
            )
        )
        if settings.sim_sip_proxy:
            account = Account(settings.sip_caller, SIMULATED_HOST, "", registrar=settings.sim_sip_proxy, reg_interval=0)
            self._agents["simulated"] = await self._agent(account)
        account = Account(_CANARY_CALLER, SIMULATED_HOST, "", registrar=self._canary, reg_interval=0)
        self._agents["canary"] = await self._agent(account)
        if settings.sip_trunk:
            account = Account(
                settings.sip_caller,
                settings.sip_trunk,
                settings.sip_trunk_password.get_secret_value(),
                registrar=settings.sip_trunk,
                reg_interval=0,
                transport=settings.sip_trunk_transport,
                auth_user=settings.sip_trunk_user or None,
            )
            self._agents["trunk"] = await self._agent(account)
        self.alive = True

    async def _agent(self, account: Account) -> UserAgent:
        agent = await UserAgent.create(self._runtime, account, transfer_policy="reject")
        agent.on_incoming(self._refuse)
        return agent

    async def dial(self, line: Line, uri: str, listener: Callable[[StackEvent], None]) -> Leg:
        """Send an INVITE; ``listener`` gets every event of the call, from the first on. Raises DialError."""
        try:
            call = await self._agents[line].dial(uri)
        except (BaresipError, KeyError, ValueError) as error:
            raise DialError(f"{line}: {error!r}") from error
        self._taps[call.handle] = listener
        # The far end may have answered before the stack told us the call's handle.
        for event in self._unclaimed.pop(call.handle, ()):
            self._hand_on(event)
        return Leg(call)

    def _on_event(self, event: StackEvent) -> None:
        if not event.call:
            return
        if event.call in self._taps:
            self._hand_on(event)
            return
        if event.event is Event.CALL_INCOMING:
            return
        self._unclaimed.setdefault(event.call, []).append(event)
        while len(self._unclaimed) > _UNCLAIMED:
            self._unclaimed.popitem(last=False)

    def _hand_on(self, event: StackEvent) -> None:
        self._taps[event.call](event)
        if event.event is Event.CALL_CLOSED:
            del self._taps[event.call]

    def _refuse(self, call: Call) -> None:
        self._log.warning("inbound call refused", peer=call.peer)
        refusal = asyncio.get_running_loop().create_task(Leg(call).hang_up())
        self._refusals.add(refusal)
        refusal.add_done_callback(self._refusals.discard)

    def _died(self) -> None:
        self.alive = False
        self._on_dead()

    async def stop(self) -> None:
        """Take the stack down; calls still up are cut."""
        self.alive = False
        try:
            await self._runtime.close()
        except BaresipError as error:
            self._log.error("stack did not stop", error=repr(error))


def _local_address(trunk: str) -> str:
    """The local address to speak from: the one that the route to the trunk takes, loopback where there is none.

    The stack takes one address only; from any of the machine's own, loopback proxies stay reachable without leaving the machine.
    """
    if not trunk or is_loopback(trunk):
        return "127.0.0.1"
    host, _, port = trunk.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, int(port or 5060)))
        return str(probe.getsockname()[0])
