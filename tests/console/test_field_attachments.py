"""Photos and signatures of an order: what is kept, once, by whom, and who may look at it."""

import hashlib
import threading
from typing import Any
from uuid import UUID

import httpx
import pytest

from console.field import picture
from tests.console.stage import T0, Records, Served, frames

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xda\x00\x02pixels\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n and so on"
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 "
PATH = "/api/v1/orders/QX-260402-0001/attachments"


@pytest.fixture
def order(records: Records) -> UUID:
    records.home()
    records.crew()
    records.crew("芙蓉-2")
    return records.order(records.incident(), state="on_site", crew_id="芙蓉-1", technician_id="芙蓉-1-A")


@pytest.fixture
def his(console: Served) -> httpx.Client:
    return console.signed_in("technician", technician_id="芙蓉-1-A")


def _add(client: httpx.Client, content: bytes = JPEG, key: str | None = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(PATH, content=content, headers={"Content-Type": "image/jpeg", **named, **({"Idempotency-Key": key} if key else {})})


def test_a_photo_is_kept_whole_with_its_time_and_place(order: UUID, his: httpx.Client) -> None:
    headers = {"X_Attachment_Kind": "photo", "X_Happened_Ms": str(T0 + 120), "X_Lon": "113.01", "X_Lat": "28.19", "X_Datum": "WGS-84"}
    added = _add(his, JPEG, None, **headers)
    assert added.status_code == 201, added.text
    (kept,) = his.get(PATH).json()
    assert kept["attachment_id"] == added.json()["attachment_id"]
    assert (kept["kind"], kept["happened_ms"], kept["lon"], kept["lat"], kept["coord_datum"]) == (
        "photo",
        T0 + 120,
        113.01,
        28.19,
        "WGS-84",
    )
    assert (kept["made_by"], kept["size"]) == ("芙蓉-1-A", len(JPEG))
    assert kept["received_ms"] > kept["happened_ms"]
    # It was taken long ago, without reception, and told now.
    assert kept["late"] is True
    found = his.get(f"/api/v1/attachments/{kept['attachment_id']}")
    assert (found.content, found.headers["content-type"]) == (JPEG, "image/jpeg")
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["cache-control"] == "private, no-store", "the next one at a shared desk is not shown it unrecorded"
    assert "sandbox" in found.headers["content-security-policy"]


def test_a_photo_that_is_told_as_it_is_taken_is_not_late(order: UUID, his: httpx.Client) -> None:
    assert _add(his).status_code == 201
    (kept,) = his.get(PATH).json()
    assert (kept["received_ms"] - kept["happened_ms"], kept["late"]) == (0, False)


def test_the_same_key_keeps_it_once_however_often_it_comes(order: UUID, his: httpx.Client, records: Records) -> None:
    ids = {_add(his, key="photo-1").json()["attachment_id"] for _ in range(3)}
    assert len(ids) == 1
    # A key that the platform has forgotten after a day comes to the same picture all the same.
    records.db.execute("DELETE FROM idempotency_keys")
    assert _add(his, key="photo-1").json()["attachment_id"] in ids
    records.db.execute("DELETE FROM idempotency_keys")
    other = _add(his, PNG, key="photo-1")
    assert (other.status_code, other.json()["reason"]) == (422, "idempotency_key_reused")
    assert len(his.get(PATH).json()) == 1


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp")],
)
def test_what_it_is_is_read_from_its_bytes(order: UUID, his: httpx.Client, content: bytes, media_type: str) -> None:
    added = his.post(PATH, content=content, headers={"Content-Type": "text/html"})
    assert his.get(f"/api/v1/attachments/{added.json()['attachment_id']}").headers["content-type"] == media_type


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason"),
    [
        (b"", {}, 422, "invalid"),
        (b"<svg onload=alert(1)>", {}, 422, "invalid"),
        (b"GIF89a", {}, 422, "invalid"),
        (JPEG + b"x" * 3_000_000, {}, 413, "too_large"),
        (JPEG, {"X_Attachment_Kind": "film"}, 422, "invalid"),
        (JPEG, {"X_Lon": "113"}, 422, "invalid"),
        (JPEG, {"X_Lon": "113", "X_Lat": "28"}, 422, "invalid"),
        (JPEG, {"X_Lon": "nan", "X_Lat": "28", "X_Datum": "WGS-84"}, 422, "invalid"),
        (JPEG, {"X_Happened_Ms": "yesterday"}, 422, "invalid"),
        (JPEG, {"X_Happened_Ms": str(T0 - 3_600_000)}, 409, "not_then"),
        (JPEG, {"X_Happened_Ms": str(2**52)}, 409, "not_then"),
    ],
)
def test_what_is_not_kept(order: UUID, his: httpx.Client, content: bytes, headers: dict[str, str], status: int, reason: str) -> None:
    answer = _add(his, content, **headers)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert his.get(PATH).json() == []


def test_the_largest_that_is_kept(order: UUID, his: httpx.Client) -> None:
    whole = JPEG + b"x" * (picture.LARGEST - len(JPEG))
    added = _add(his, whole)
    assert added.status_code == 201, added.text
    found = his.get(f"/api/v1/attachments/{added.json()['attachment_id']}").content
    assert hashlib.sha256(found).digest() == hashlib.sha256(whole).digest()


def test_an_order_keeps_no_more_than_its_number(order: UUID, his: httpx.Client, records: Records) -> None:
    for number in range(picture.MOST):
        assert _add(his, JPEG + bytes([number])).status_code == 201
    answer = _add(his)
    assert (answer.status_code, answer.json()["reason"]) == (409, "too_many_attachments")


def test_nobody_but_his_crew_and_the_desk(order: UUID, console: Served, his: httpx.Client) -> None:
    attachment = _add(his).json()["attachment_id"]
    other = console.signed_in("technician", name="other", technician_id="芙蓉-2-A")
    assert _add(other).status_code == 404
    assert other.get(PATH).status_code == 404
    assert other.get(f"/api/v1/attachments/{attachment}").status_code == 404
    operator = console.signed_in("operator")
    assert _add(operator).status_code == 403
    assert operator.get(f"/api/v1/attachments/{attachment}").status_code == 200
    elsewhere = console.signed_in("operator", name="elsewhere", districts=["430103"])
    assert elsewhere.get(f"/api/v1/attachments/{attachment}").status_code in {200, 404}
    viewer = console.signed_in("viewer")
    assert viewer.get(f"/api/v1/attachments/{attachment}").status_code == 403
    assert console.anybody().get(f"/api/v1/attachments/{attachment}").status_code == 401


DAY_MS = 86_400_000


def _today_began_ms(client: httpx.Client) -> int:
    now_ms: int = client.get("/api/v1/overview").json()["at_ms"]
    beijing_ms = 8 * 3_600_000
    return (now_ms + beijing_ms) // DAY_MS * DAY_MS - beijing_ms


def test_pictures_follow_an_order_that_was_archived_before_midnight(order: UUID, his: httpx.Client, records: Records) -> None:
    """Archived at 23:50 without reception and told after midnight at its true time; the pictures come after it."""
    records.change("work_orders", "order_id", order, state="archived", archived_ms=_today_began_ms(his) - 600_000)
    assert his.get("/api/v1/orders/QX-260402-0001").status_code == 404, "it is no longer his to read"
    assert _add(his, key="late-1").status_code == 201
    assert _add(his, PNG, X_Attachment_Kind="signature").status_code == 201
    assert his.get(PATH).status_code == 404


def test_a_long_archived_order_takes_no_more_pictures(order: UUID, his: httpx.Client, records: Records) -> None:
    began_ms = _today_began_ms(his)
    records.change("work_orders", "order_id", order, state="archived", archived_ms=began_ms - 5 * DAY_MS)
    assert _add(his).status_code == 404
    # But where nobody could tell of it for days, the time begins as it is told.
    records.step(order, "archive", began_ms - 5 * DAY_MS, "archived", "芙蓉-1-A", received_ms=began_ms)
    assert _add(his).status_code == 201


def test_the_grace_is_of_who_worked_there(order: UUID, console: Served, records: Records) -> None:
    archived_ms = _today_began_ms(console.http) - 600_000
    records.change("work_orders", "order_id", order, state="archived", archived_ms=archived_ms)
    records.put("technicians", technician_id="芙蓉-1-B", crew_id="芙蓉-1", name="王磊", phone="sip:90009@sim.invalid")
    mate = console.signed_in("technician", name="mate", technician_id="芙蓉-1-B")
    other = console.signed_in("technician", name="other", technician_id="芙蓉-2-A")
    assert (_add(mate).status_code, _add(other).status_code) == (404, 404)
    for technician in ("芙蓉-1-B", "芙蓉-2-A"):
        records.step(order, "on_site", T0 + 100, "on_site", technician)
    assert (_add(mate).status_code, _add(other).status_code) == (201, 404), "an order of another crew is not his"


def test_who_looks_at_a_picture_is_recorded_once_a_session(order: UUID, console: Served, his: httpx.Client, records: Records) -> None:
    attachment = _add(his, X_Attachment_Kind="signature").json()["attachment_id"]
    zhang, li = console.signed_in("operator", name="zhang"), console.signed_in("supervisor", name="li")
    for client in (zhang, zhang, li):
        assert client.get(f"/api/v1/attachments/{attachment}").status_code == 200
    assert console.signed_in("viewer").get(f"/api/v1/attachments/{attachment}").status_code == 403
    seen = records.db.execute("SELECT who, about, detail FROM audit WHERE what = 'picture_seen' ORDER BY audit_no").fetchall()
    of = {"order_no": "QX-260402-0001", "kind": "signature"}
    assert seen == [("zhang", attachment, of), ("li", attachment, of)]


def test_a_camera_s_data_does_not_stay() -> None:
    exif = b"\xff\xe1\x00\x10Exif\x00\x00GPS-DATA"
    assert picture.without_camera_data(JPEG[:2] + exif + JPEG[2:]) == JPEG
    for other in (PNG, b"\xff\xd8\xff\xe1", b"\xff\xd8\xff\xe1\x00\x01x", JPEG[:8]):
        assert picture.media_type(picture.without_camera_data(other)) == picture.media_type(other)


def test_the_database_names_its_owner(records: Records) -> None:
    text: Any = records.db.execute("SELECT obj_description('order_attachments'::regclass)").fetchone()
    assert text is not None


def test_a_new_picture_is_told(order: UUID, his: httpx.Client, console: Served) -> None:
    told: list[tuple[str, Any]] = []
    open_now = threading.Event()

    def watch() -> None:
        with console.signed_in("operator", name="watcher").stream("GET", "/api/v1/events") as stream:
            for name, data in frames(stream.iter_lines()):
                if name == "clock":
                    open_now.set()
                if name == "attachment":
                    told.append((name, data))
                    return

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    assert open_now.wait(20)
    added = _add(his).json()["attachment_id"]
    watching.join(20)
    assert [data["attachment_id"] for _, data in told] == [added]
