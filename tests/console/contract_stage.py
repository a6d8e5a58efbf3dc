"""The stage of the API's contract: one of everything that a path can name, and what each change is asked so that nothing refuses it."""

import json
import re
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx

from dispatch.voice.tape import wav_header
from tests.console.eyes import ELSEWHERE, HERE, city
from tests.console.stage import T0, Records, Served
from tests.console.test_scope import BODIES

DESK: Final = "curious"
_PERIOD: Final = {"reason": "monthly report", "from_ms": T0, "to_ms": T0 + 86_400_000}
_OWNERS: Final = dict.fromkeys(("*", "blind", "promises", "holds:safety"), DESK)
_PICTURE: Final = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xda\x00\x02pixels\xff\xd9"
ASKED: Final[dict[str, Any]] = {
    **{f"POST {path}": body for path, body in BODIES.items()},
    "POST /users": {"name": "new.user", "display": "新用户", "roles": ["viewer"]},
    "PATCH /users/{user_id}": {"display": "另一人"},
    "POST /tokens": {"name": "gis", "rights": ["read"]},
    "POST /exports/incidents": _PERIOD,
    "POST /exports/orders": _PERIOD,
    "POST /handovers": {},
    "POST /handovers/{handover_id}/take": {"owners": _OWNERS},
    "POST /handovers/{handover_id}/withdraw": {},
    "POST /orders/{order_no}/attachments": _PICTURE,
    "POST /demo/leak": {"home_id": "{home_id}"},
    "POST /demo/building-leak": {"estate": "{estate}", "building": "{building}"},
    "POST /demo/crew": {"order_no": "{order_no}"},
}
"""Operation to its body: what nothing but the right to it can be wrong with."""


class Things:
    """A city, and by the name of a parameter the id of what there is in it. One desk and one technician look at it, both of them users."""

    def __init__(self, records: Records, console: Served, recordings: Path) -> None:
        here, _ = city(records)
        (recordings / f"{here.call}.wav").write_bytes(wav_header(1600) + bytes(1600))
        self.desk = console.signed_in("supervisor", "engineer", "auditor", "dispatcher", name=DESK)
        self.technician = console.signed_in("technician", name="he.ping", technician_id=here.technician)
        keeper = {"display": "x", "roles": ["viewer"]}
        self._values = {
            **here.values,
            "thing": "blind",
            "user_id": _made(self.desk, "/users", name="else", **keeper)["user"]["user_id"],
            "token_id": _made(self.desk, "/tokens", name="erp", rights=["read"])["token_id"],
            "handover_id": self._handed_over(console, HERE),
            "attachment_id": str(uuid4()),
            "request_id": str(uuid4()),
        }
        # Withdrawn once another is taken: one of them is not both.
        self._withdrawn = self._handed_over(console, ELSEWHERE)
        request = {"station": "line", "kind": "close_valve", "body": {"home_id": here.home}, "actor": DESK}
        records.put("requests", request_id=self._values["request_id"], **request)
        picture = {"kind": "photo", "media_type": "image/jpeg", "bytes": _PICTURE, "size": len(_PICTURE), "sha256": b"", "made_by": "x"}
        of = {"attachment_id": self._values["attachment_id"], "order_id": here.order, "happened_ms": T0, "received_ms": T0}
        records.put("order_attachments", **of, **picture)

    @staticmethod
    def _handed_over(console: Served, district: str) -> str:
        leaving = console.signed_in("operator", name=f"leaving-{district}", districts=[district])
        return str(_made(leaving, "/handovers")["handover_id"])

    def named_by(self, operation: str) -> dict[str, str]:
        """Parameter to the id of a thing that is there, for an operation such as ``GET /homes/{home_id}``."""
        return {**self._values, "handover_id": self._withdrawn} if operation.endswith("/withdraw") else self._values

    def body_of(self, operation: str) -> Any:
        """The body of an operation; None where it has none."""
        body = ASKED.get(operation)
        if body is None or isinstance(body, bytes):
            return body
        return json.loads(re.sub(r"\{(\w+)\}", lambda found: self._values[found[1]], json.dumps(body)))


def _made(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1{path}", json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found
