"""Users: who they are, what they may do, and the link with which each chooses his password. Every change is recorded."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, Field

from console.access.rights import Role, rights_of
from console.access.users import NewUser, User, UserChange
from console.access.who import Who
from console.api.needs import Console, needs, not_allowed, noun
from console.paging import After, Limit, Page, behind, next_of
from console.problems import Problem, responses

router = noun("access")

Keeper = Annotated[Who, Depends(needs("users"))]
NOT_KEPT = "no-store"
"""Of an answer that holds a secret: told once, and kept for no repeat and in no browser."""


class UserWithLink(BaseModel):
    """A user, and his link if one was made just now: the one time that it is told."""

    user: User
    password_link: str | None = Field(None, description="he opens it and chooses his password, once, within 24 h")


@router.get("/users", summary="Users · 用户", responses=responses(403, 422))
async def list_users(console: Console, _: Keeper, limit: Limit = 50, after: After = None) -> Page[User]:
    """By name."""
    (name,) = behind("users", after, str)
    rows = await console.access.users.page(name, limit + 1)
    return Page[User](items=rows[:limit], next=next_of("users", rows, limit, lambda user: (user.name,)))


@router.post("/users", summary="Make a user · 新建用户", responses=responses(403, 409, 422))
async def make_user(console: Console, request: Request, response: Response, who: Keeper, wanted: NewUser) -> UserWithLink:
    """There is no first password: hand the link to the user, who chooses one."""
    response.headers["Cache-Control"] = NOT_KEPT
    _no_more_than_himself(who, wanted.roles)
    no_further_than_himself(who, wanted.districts)
    await _his_crews_alone(console, who, wanted.technician_id)
    access, now_ms = console.access, console.access.clock.now_ms()
    user_id = await access.users.make(wanted, who.name, now_ms)
    await access.audit.note(who, "user_made", about=str(user_id), detail=wanted.model_dump(mode="json"))
    return UserWithLink(user=await access.users.read(user_id), password_link=await _link(console, request, who, user_id))


@router.patch("/users/{user_id}", summary="Change a user · 更改用户", responses=responses(403, 404, 409, 422))
async def change_user(
    console: Console, request: Request, response: Response, who: Keeper, user_id: UUID, wanted: UserChange
) -> UserWithLink:
    """Whoever is disabled, or gets a link for a new password, is signed out everywhere."""
    response.headers["Cache-Control"] = NOT_KEPT
    access, now_ms = console.access, console.access.clock.now_ms()
    before = await access.users.read(user_id)
    # Neither what he becomes nor what he is: a link for a supervisor's password is a supervisor's powers.
    _no_more_than_himself(who, [*before.roles, *(wanted.roles or [])])
    no_further_than_himself(who, await _where(console, before, wanted))
    if "districts" in wanted.model_fields_set:
        no_further_than_himself(who, wanted.districts)
    if user_id == who.user_id:
        _no_technician_of_himself(who, before, wanted)
    await _his_crews_alone(console, who, wanted.technician_id)
    await access.audit.note(who, "user_changed", about=str(user_id), detail=wanted.model_dump(mode="json", exclude_unset=True))
    await access.users.change(before, wanted, now_ms)
    link = await _link(console, request, who, user_id) if wanted.new_password_link else None
    if wanted.disabled or link is not None:
        await access.sessions.end_of_user(user_id)
    access.forget()
    return UserWithLink(user=await access.users.read(user_id), password_link=link)


async def _link(console: Console, request: Request, who: Who, user_id: UUID) -> str:
    access = console.access
    secret = await access.users.new_link(user_id, who.name, access.clock.now_ms())
    await access.audit.note(who, "password_link_made", about=str(user_id))
    return f"{request.url.scheme}://{request.url.netloc}/setup#{secret}"


def _no_more_than_himself(who: Who, roles: list[Role]) -> None:
    """Whoever manages users gives no right that he lacks, so that an engineer cannot make himself a desk. A supervisor gives any role."""
    wanted = frozenset(role for role in roles if role != "technician")
    beyond = rights_of(wanted) - who.rights
    if beyond and "supervisor" not in who.roles:
        raise not_allowed(min(beyond))


def no_further_than_himself(who: Who, districts: Sequence[str] | None) -> None:
    """Nobody gives districts that he does not see himself, nor manages whoever has them, whatever his role. Raises a 403 problem."""
    if who.districts is None or (districts is not None and set(districts) <= set(who.districts)):
        return
    own = ", ".join(who.districts)
    raise Problem(
        HTTPStatus.FORBIDDEN,
        "beyond_your_districts",
        f"您只负责这些区：{own}；不能涉及其他区或全部区",
        f"your districts are {own}: neither others nor all of them are yours to give or to manage",
    )


def _no_technician_of_himself(who: Who, before: User, wanted: UserChange) -> None:
    becomes = "technician" in (wanted.roles or []) and "technician" not in before.roles
    another = wanted.technician_id is not None and wanted.technician_id != before.technician_id
    if (becomes or another) and "supervisor" not in who.roles:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "not_of_yourself",
            "不能把自己设为抢修人员或换成另一位抢修人员，请由值班长办理",
            "you cannot make a technician of yourself, nor another one: a supervisor does",
        )


async def _where(console: Console, user: User, wanted: UserChange) -> Sequence[str] | None:
    """The districts of a user who is changed; of one who is a technician alone, and stays it, his crew's: others do not matter for him."""
    if user.roles == ["technician"] and wanted.roles in (None, ["technician"]) and user.technician_id is not None:
        return [await console.access.users.district_of(user.technician_id, also_retired=True)]
    return user.districts


async def _his_crews_alone(console: Console, who: Who, technician_id: str | None) -> None:
    # A technician sees what his crew has orders for, whatever his districts are.
    if technician_id is not None and who.districts is not None:
        no_further_than_himself(who, [await console.access.users.district_of(technician_id)])
