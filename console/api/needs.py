"""What routes ask of the running console: its store, its clock, its settings, and who is asking. The one reader of ``app.state``."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Request

from console.access.gate import BASE, not_signed_in
from console.access.rights import RIGHT_NAMES, ROLE_NAMES, Right, roles_with
from console.access.table import OPEN, needed
from console.access.who import Who
from console.problems import Problem
from console.running import Running
from console.store import Store


def running(request: Request) -> Running:
    """The running console behind a request."""
    return cast(Running, request.app.state.running)


def store(request: Request) -> Store:
    """The database of the running console."""
    return running(request).store


def signed(request: Request) -> Who:
    """Who is asking. Raises a 401 problem where nobody is signed in."""
    who: Who | None = getattr(request.state, "who", None)
    if who is None:
        raise not_signed_in()
    return who


def needs(right: Right) -> Callable[..., Who]:
    """A dependency that gives who is asking. Raises a 403 problem where he may not."""

    def allowed(who: "Signed") -> Who:
        check(who, right)
        return who

    return allowed


def check(who: Who, right: Right) -> None:
    """Raises a 403 problem where he may not."""
    if not who.may(right):
        raise not_allowed(right)


def as_the_table_says(request: Request) -> None:
    """A dependency of every route of the API: whoever asks has the right that the table names. Raises 401 and 403 problems."""
    path = request.scope["route"].path_format
    if f"{request.method} {path.removeprefix('/api/v1')}" in OPEN:
        return
    who = signed(request)
    right = needed("GET" if request.method == "HEAD" else request.method, path)
    if right is None:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "no_right_declared",
            "该地址未声明所需权限，不对任何人开放",
            "this address declares no right and is open to nobody",
        )
    check(who, right)


def noun(tag: str, *also: Callable[..., Any], below: str = "") -> APIRouter:
    """A router of the API, tagged, ``below`` its base; each route of it asks the table who may, and then what is named ``also``."""
    return APIRouter(prefix=f"{BASE}{below}", tags=[tag], dependencies=[Depends(need) for need in (as_the_table_says, *also)])


def not_allowed(right: Right) -> Problem:
    """403: somebody is signed in and may not; says who may."""
    roles = roles_with(right)
    zh = "、".join(ROLE_NAMES[role][0] for role in roles) or "演示模式"
    en = ", ".join(ROLE_NAMES[role][1] for role in roles) or "the demonstration alone"
    return Problem(
        HTTPStatus.FORBIDDEN,
        "not_allowed",
        f"您的角色不能“{RIGHT_NAMES[right][0]}”；可以的角色：{zh}",
        f"your role may not {RIGHT_NAMES[right][1]}; roles that may: {en}",
    )


Console = Annotated[Running, Depends(running)]
Database = Annotated[Store, Depends(store)]
Signed = Annotated[Who, Depends(signed)]
