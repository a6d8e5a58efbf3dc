"""Pages by the last row seen: an opaque cursor that survives rows coming and going. Knows no table."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from console.problems import bad_cursor

Limit = Annotated[int, Query(ge=1, le=200, description="rows a page / 每页行数")]
After = Annotated[str | None, Query(max_length=400, description="`next` of the page before / 上一页返回的 next")]


Item = TypeVar("Item", bound=BaseModel)
Some = TypeVar("Some")


class Page(BaseModel, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    next: str | None = Field(None, description="cursor of the next page, null on the last one")


def cursor(listing: str, key: Sequence[str | int]) -> str:
    """The cursor behind a row whose sort key is ``key`` in the list named ``listing``."""
    return base64.urlsafe_b64encode(json.dumps([listing, *key], separators=(",", ":")).encode()).decode().rstrip("=")


def behind(listing: str, after: str | None, *types: type[str] | type[int] | type[UUID]) -> list[Any]:
    """The sort key that ``after`` stands for, or as many None. Raises a 422 problem on a cursor of something else."""
    if after is None:
        return [None] * len(types)
    try:
        found = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        if not isinstance(found, list) or len(found) != len(types) + 1 or found[0] != listing:
            raise bad_cursor()
        return [_part(value, kind) for value, kind in zip(found[1:], types, strict=True)]
    except (ValueError, RecursionError):
        raise bad_cursor() from None


def _part(value: object, kind: type[str] | type[int] | type[UUID]) -> str | int | UUID:
    if kind is int and type(value) is int and abs(value) < 2**63:
        return value
    if kind is str and isinstance(value, str) and "\0" not in value:
        return value
    if kind is UUID and isinstance(value, str):
        return UUID(value)
    raise ValueError


def next_of(listing: str, rows: Sequence[Some], limit: int, key: Callable[[Some], Sequence[str | int]]) -> str | None:
    """The cursor of the next page when ``rows`` (read with limit + 1) has one row more than fits."""
    return cursor(listing, key(rows[limit - 1])) if len(rows) > limit else None
