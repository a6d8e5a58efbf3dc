"""A phone without sound, for storms: it is picked up, presses a key by SIP INFO, and stays up until the caller hangs up.

Decides what such a phone says to whom in one call. Costs no audio, so that a thousand of them fit beside a platform on one machine.
Refuses to hear: the caller's sound goes to a socket that nobody reads.
"""

import asyncio
import hashlib
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.clock import Clock
from simulator.phones import sip
from simulator.phones.behaviour import Behaviour
from simulator.phones.lines import PhoneReport

Address = tuple[str, int]
Send = Callable[[sip.Message, Address], None]

_AGAIN_S: Final = (0.5, 1.0, 2.0, 4.0)
_CONTACT = re.compile(r"<([^>]+)>")
_TOLD = ("via", "from", "call-id", "cseq", "record-route")


@dataclass(slots=True)
class _Dialog:
    invite: sip.Message
    number: str
    source: Address
    to: str
    confirmed: asyncio.Event
    life: asyncio.Task[None] | None = None
    answered: bool = False


class BriefPhones:
    """All such phones of one exchange. ``own`` is the exchange's address, known once it listens."""

    def __init__(self, clock: Clock, send: Send, report: Callable[[PhoneReport], None]) -> None:
        self._clock = clock
        self._send = send
        self._report = report
        self._dialogs: dict[str, _Dialog] = {}
        self._deaf: socket.socket | None = None
        self.own: Address = ("", 0)

    def take(self, request: sip.Message, number: str, way: Behaviour, source: Address) -> bool:
        """Take a request if it is for one of these phones or belongs to a call of theirs. Returns whether it did."""
        call = request.value("call-id") or ""
        dialog = self._dialogs.get(call)
        if dialog is None:
            if request.method != "INVITE" or way.manner != "confirms_at_once":
                return False
            self._ring(call, request, number, way, source)
            return True
        match request.method:
            case "ACK":
                dialog.confirmed.set()
            case "BYE":
                self._send(sip.answer(request, 200, "OK"), source)
                self._over(call, dialog)
            case "CANCEL":
                self._send(sip.answer(request, 200, "OK"), source)
                if not dialog.answered:
                    self._say(dialog, 487, "Request Terminated")
                    self._over(call, dialog)
        return True

    def _ring(self, call: str, invite: sip.Message, number: str, way: Behaviour, source: Address) -> None:
        tag = hashlib.blake2s(call.encode(), digest_size=6).hexdigest()
        dialog = _Dialog(invite, number, source, f"{invite.value('to') or ''};tag={tag}", asyncio.Event())
        self._dialogs[call] = dialog
        self._say(dialog, 180, "Ringing")
        self._tell(dialog, call, "ringing")
        dialog.life = asyncio.get_running_loop().create_task(self._live(call, dialog, way))

    async def _live(self, call: str, dialog: _Dialog, way: Behaviour) -> None:
        await self._clock.sleep(way.rings_s)
        dialog.answered = True
        for pause_s in _AGAIN_S:
            self._say(dialog, 200, "OK", self._sound())
            try:
                await asyncio.wait_for(dialog.confirmed.wait(), pause_s)
                break
            except TimeoutError:
                continue
        self._tell(dialog, call, "answered")
        await self._clock.sleep(way.listens_s)
        self._press(call, dialog, "1")

    def _press(self, call: str, dialog: _Dialog, digit: str) -> None:
        host, port = self.own
        contact = _CONTACT.search(dialog.invite.value("contact") or "")
        branch = hashlib.blake2s(f"{call}/info".encode(), digest_size=10).hexdigest()
        body = f"Signal={digit}\r\nDuration=160\r\n".encode()
        headers = (
            ("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{branch};rport"),
            ("Max-Forwards", "70"),
            ("From", dialog.to),
            ("To", dialog.invite.value("from") or ""),
            ("Call-ID", call),
            ("CSeq", "1 INFO"),
            ("Contact", f"<sip:{dialog.number}@{host}:{port}>"),
            ("Content-Type", "application/dtmf-relay"),
            ("Content-Length", str(len(body))),
        )
        target = contact[1] if contact else f"sip:{dialog.source[0]}:{dialog.source[1]}"
        self._send(sip.Message(f"INFO {target} SIP/2.0", headers, body), dialog.source)
        self._tell(dialog, call, "pressed", digit=digit)

    def _say(self, dialog: _Dialog, code: int, phrase: str, body: bytes = b"") -> None:
        host, port = self.own
        headers = [(key, value) for key, value in dialog.invite.headers if key.lower() in _TOLD or key.lower() in ("v", "f", "i")]
        headers += [("To", dialog.to), ("Contact", f"<sip:{dialog.number}@{host}:{port}>")]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        headers.append(("Content-Length", str(len(body))))
        self._send(sip.Message(f"SIP/2.0 {code} {phrase}", tuple(headers), body), dialog.source)

    def _sound(self) -> bytes:
        """Where the caller's sound may go: a socket of this machine that drops it."""
        if self._deaf is None:
            self._deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._deaf.bind((self.own[0], 0))
        host, port = self._deaf.getsockname()
        lines = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", f"m=audio {port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000")
        return "\r\n".join(lines).encode() + b"\r\n"

    def _over(self, call: str, dialog: _Dialog) -> None:
        if dialog.life is not None:
            dialog.life.cancel()
        self._dialogs.pop(call, None)
        self._tell(dialog, call, "hung_up", by="caller")

    def _tell(self, dialog: _Dialog, call: str, event: str, **more: str) -> None:
        self._report(
            PhoneReport.model_validate({"event": event, "number": dialog.number, "call": call, "at_ms": self._clock.now_ms(), **more})
        )

    def close(self) -> None:
        """End all calls without a word."""
        for dialog in self._dialogs.values():
            if dialog.life is not None:
                dialog.life.cancel()
        if self._deaf is not None:
            self._deaf.close()
