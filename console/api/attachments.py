"""Photos and signatures of an order: taken on site, stamped by the phone, kept beside the order. Read by who may see the order's people."""

import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid4, uuid5

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel, Field, computed_field

from console.access.who import Who
from console.api.needs import Console, Database, needs, noun
from console.api.orders import OrderNo, unknown_order
from console.field import attachments_sql, picture
from console.problems import FieldError, Problem, not_found, responses
from console.store import Store
from console.wording import LATE_MS
from dispatch.judgement.reasons import Reason
from dispatch.judgement.true_time import true_time

router = noun("orders")

GRACE_MS: Final = 2 * 86_400_000
"""How long after an order was archived, or that was told, its own technician may still send the pictures that he took there."""

Kind = Literal["photo", "signature"]
Datum = Literal["WGS-84", "GCJ-02"]


class Attachment(BaseModel):
    """A photo or a signature of an order; its bytes are at `/attachments/{attachment_id}`."""

    attachment_id: UUID
    order_no: str
    incident_id: UUID
    kind: str = Field(description="photo or signature")
    media_type: str
    size: int = Field(description="bytes")
    happened_ms: int = Field(description="when it was taken, Unix ms")
    received_ms: int = Field(description="when it reached the platform, Unix ms")
    lon: float | None = Field(description="where it was taken, degrees of `coord_datum`; null where the phone did not know")
    lat: float | None
    coord_datum: str | None
    made_by: str

    # mypy knows no decorator above a property.
    @computed_field(description="it was taken without reception and told later: it reached the platform at `received_ms`")  # type: ignore[prop-decorator]
    @property
    def late(self) -> bool:
        """Whether it came later than two clocks differ."""
        return self.received_ms - self.happened_ms >= LATE_MS


class Kept(BaseModel):
    """It is kept."""

    attachment_id: UUID


async def of_orders(store: Store, order_ids: Sequence[UUID]) -> dict[str, list[Attachment]]:
    """Order number -> its attachments, oldest first."""
    found: dict[str, list[Attachment]] = {}
    for row in await store.rows(attachments_sql.OF_ORDERS, {"order_ids": list(order_ids)}):
        found.setdefault(row["order_no"], []).append(Attachment(**row))
    return found


_PICTURES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in ("image/jpeg", "image/png", "image/webp")},
    }
}


async def _order(store: Store, who: Who, order_no: str) -> dict[str, Any]:
    row = await store.row(attachments_sql.ORDER, {"order_no": order_no, **who.scope.values()})
    if row is None:
        raise unknown_order(order_no)
    return row


async def _order_to_add_to(store: Store, who: Who, order_no: str, now_ms: int) -> dict[str, Any]:
    values = {"technician_id": who.technician_id, "grace_since_ms": now_ms - GRACE_MS, **who.scope.values()}
    row = await store.row(attachments_sql.ORDER_TO_ADD_TO, {"order_no": order_no, **values})
    if row is None:
        raise unknown_order(order_no)
    return row


async def _body(request: Request) -> bytes:
    """The picture. Raises a 413 problem as soon as it is too large, whatever length was announced."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > picture.LARGEST:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too_large",
                f"图片超过 {picture.LARGEST // 1_000_000} MB",
                f"the picture is larger than {picture.LARGEST // 1_000_000} MB",
            )
    return bytes(found)


def _invalid(where: str, zh: str, en: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", zh, en, errors=[FieldError(where=where, en=en)])


@router.post(
    "/orders/{order_no}/attachments",
    summary="Keep a photo or a signature · 照片与签名",
    status_code=HTTPStatus.CREATED,
    openapi_extra=_PICTURES,
    responses=responses(404, 409, 413, 422),
)
async def add_attachment(
    console: Console,
    who: Annotated[Who, Depends(needs("order_step"))],
    request: Request,
    order_no: OrderNo,
    kind: Annotated[Kind, Header(alias="X-Attachment-Kind")] = "photo",
    happened_ms: Annotated[int | None, Header(alias="X-Happened-Ms", ge=0, lt=2**53, description="when it was taken, Unix ms")] = None,
    lon: Annotated[float | None, Header(alias="X-Lon", ge=-180, le=180, allow_inf_nan=False)] = None,
    lat: Annotated[float | None, Header(alias="X-Lat", ge=-90, le=90, allow_inf_nan=False)] = None,
    coord_datum: Annotated[Datum | None, Header(alias="X-Datum", description="WGS-84 or GCJ-02, with a place")] = None,
    key: Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=64)] = None,
) -> Kept:
    """The body is the picture itself: JPEG, PNG or WebP, 3 MB at most. The same key keeps it once, however late it comes again."""
    now_ms = console.clock.now_ms()
    order = await _order_to_add_to(console.store, who, order_no, now_ms)
    if len({lon is None, lat is None, coord_datum is None}) > 1:
        raise _invalid("header.X-Datum", "位置须同时给出经度、纬度和坐标系", "a place is X-Lon, X-Lat and X-Datum together")
    at_ms = true_time(happened_ms, order["created_ms"], now_ms)
    if isinstance(at_ms, Reason):
        raise Problem(HTTPStatus.CONFLICT, at_ms.code, at_ms.zh, at_ms.en)
    content = picture.without_camera_data(await _body(request))
    media_type = picture.media_type(content)
    if media_type is None:
        raise _invalid("body", "不是 JPEG、PNG 或 WebP 图片", "not a JPEG, PNG or WebP picture")
    name = who.technician_id or who.name
    row = {
        "attachment_id": uuid4() if key is None else uuid5(order["order_id"], f"{who.name}/{key}"),
        "order_id": order["order_id"],
        "kind": kind,
        "media_type": media_type,
        "bytes": content,
        "size": len(content),
        "sha256": hashlib.sha256(content).digest(),
        "happened_ms": at_ms,
        "received_ms": now_ms,
        "lon": lon,
        "lat": lat,
        "coord_datum": coord_datum,
        "made_by": name,
        "most": picture.MOST,
    }
    if not await console.store.own(attachments_sql.ADD, row):
        await _kept_before(console.store, row)
    return Kept(attachment_id=row["attachment_id"])


async def _kept_before(store: Store, row: dict[str, Any]) -> None:
    """Nothing was added: it is there already, or there is no room. Raises a problem unless it is the very same picture."""
    found = await store.row(attachments_sql.SAME, row)
    if found is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "too_many_attachments",
            f"一张抢修单最多保存 {picture.MOST} 张图片",
            f"an order keeps {picture.MOST} pictures at most",
        )
    if not found["same"]:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "同一个 Idempotency-Key 对应了不同的图片",
            "the Idempotency-Key was used for another picture",
        )


@router.get("/orders/{order_no}/attachments", summary="Photos and signatures of an order · 照片与签名列表", responses=responses(404, 422))
async def list_attachments(store: Database, who: Annotated[Who, Depends(needs("read"))], order_no: OrderNo) -> list[Attachment]:
    """Oldest first, without their bytes; 60 at most."""
    order = await _order(store, who, order_no)
    return (await of_orders(store, [order["order_id"]])).get(order_no, [])


@router.get(
    "/attachments/{attachment_id}",
    summary="A photo or a signature itself · 图片",
    response_class=Response,
    responses={
        200: {"content": {name: {"schema": {"type": "string", "format": "binary"}} for name in ("image/jpeg", "image/png", "image/webp")}},
        **responses(404, 422),
    },
)
async def read_attachment(console: Console, who: Annotated[Who, Depends(needs("read_people"))], attachment_id: UUID) -> Response:
    """As it was kept; it never changes. Who looks at it is recorded, once a session."""
    row = await console.store.row(attachments_sql.BYTES, {"attachment_id": attachment_id, **who.scope.values()})
    if row is None:
        raise not_found(f"没有图片 {attachment_id}", f"there is no attachment {attachment_id}")
    of = {"order_no": row["order_no"], "kind": row["kind"]}
    await console.access.audit.note_once(who, "picture_seen", about=str(attachment_id), detail=of)
    headers = {
        # A desk is shared, and every look is recorded: the browser keeps nothing for the next one.
        "Cache-Control": "private, no-store",
        # Whatever somebody managed to keep here, a browser draws it and does nothing else with it.
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Disposition": "inline",
    }
    return Response(bytes(row["bytes"]), media_type=row["media_type"], headers=headers)
