"""Signing in and out: by password, by the link of the demonstration, by the link that makes the first user or a new password."""

from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from console.access.gate import address, at_this_machine, cookie_name, cookie_of, not_signed_in
from console.access.passwords import LONGEST, check_password
from console.access.rights import ALL_RIGHTS, ROLES, Right, Role
from console.access.secret import csrf_of, digest
from console.access.sessions import DEMO_NAME
from console.access.sign_in import wrong
from console.access.users import Display, Language, Name, NewUser, proper_name
from console.access.who import Who
from console.api.needs import Console, Signed, noun
from console.problems import Problem, responses
from console.running import Running

router = noun("access")

Password = Annotated[str, Field(min_length=1, max_length=LONGEST * 4, json_schema_extra={"format": "password"})]
Secret = Annotated[str, Field(min_length=1, max_length=200, description="what stands behind # in the link")]

_DEMO_TECHNICIAN = """
    SELECT t.technician_id FROM technicians t JOIN crews c USING (crew_id)
    LEFT JOIN work_orders w ON w.crew_id = c.crew_id AND w.archived_ms IS NULL
    WHERE c.simulated AND t.retired_at IS NULL ORDER BY w.created_ms DESC NULLS LAST, t.technician_id LIMIT 1"""


class SessionUser(BaseModel):
    """Who is signed in."""

    name: str
    display: str
    roles: list[Role]
    districts: list[str] | None = Field(description="GB/T 2260; null = every district")
    technician_id: str | None
    crew_id: str | None
    language: Language


class SessionView(BaseModel):
    """A session as the page needs it."""

    user: SessionUser
    rights: list[Right]
    csrf: str = Field(description="to be sent as X-CSRF-Token with every change; empty for an API token, which needs none")
    expires_ms: int = Field(description="Unix ms of real time: signed out then, if nobody does anything more")
    now_ms: int = Field(description="Unix ms of real time as this was answered: what is left is told by it, not by the browser's clock")
    demo: bool = Field(description="this console runs a demonstration: say so on every page")


class SignIn(BaseModel):
    """Name and password."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    password: Password


class FollowLink(BaseModel):
    """A link that was followed."""

    model_config = ConfigDict(extra="forbid")
    token: Secret | None = Field(None, description="what stands behind # in the link; left out: who is in the demonstration changes eyes")
    as_role: Role | None = Field(None, alias="as", description="the demonstration alone: through whose eyes; null = all of them")


class LinkNeeds(BaseModel):
    """What the link is for."""

    needs: Literal["first_user", "password"]
    name: str | None = Field(None, description="of whom, for a password")
    display: str | None = None


class FirstUser(BaseModel):
    """The first user: supervisor and engineer."""

    model_config = ConfigDict(extra="forbid")
    token: Secret
    name: Name
    display: Display
    password: Password
    language: Language = "zh"


class ChoosePassword(BaseModel):
    """A new password, by a link or by the old one."""

    model_config = ConfigDict(extra="forbid")
    token: Secret | None = None
    old_password: Password | None = None
    password: Password


@router.get("/session", summary="Who is signed in · 当前登录", responses=responses())
async def read_session(console: Console, request: Request, who: Signed, response: Response) -> SessionView:
    """With the rights that the page may offer, and the word that every change must carry."""
    response.headers["Cache-Control"] = "no-store"
    return _view(console, who, cookie_of(request.scope) if who.via != "token" else None)


@router.post("/session", summary="Sign in · 登录", responses=responses(401, 422, 429))
async def sign_in(console: Console, request: Request, response: Response, asked: SignIn) -> SessionView:
    """By name and password. Too many failures make the next try wait, at most a minute: `locked_out` with Retry-After."""
    access, origin = console.access, address(request.scope)
    proven = await access.way.prove(asked.name, asked.password, origin, access.clock.now_ms())
    await access.audit.note_of(proven.name, "password", "signed_in", origin)
    return await _begin(console, request, response, proven.user_id)


@router.delete("/session", summary="Sign out · 退出", status_code=204, responses=responses())
async def sign_out(console: Console, request: Request, response: Response) -> None:
    """Ends the session here and at the console."""
    access, cookie = console.access, cookie_of(request.scope)
    who: Who | None = request.state.who
    if who is not None and cookie is not None and who.via != "token":
        await access.sessions.end(digest(cookie))
        access.forget()
        await access.audit.note(who, "signed_out")
    response.delete_cookie(cookie_name(request.scope), **_flags(request))


@router.post("/session/link", summary="Follow a link · 使用一次性链接", responses=responses(401, 422, 429))
async def follow_link(console: Console, request: Request, response: Response, asked: FollowLink) -> SessionView | LinkNeeds:
    """The link of the demonstration signs in, at this machine alone; other links say what they are for."""
    access, origin = console.access, address(request.scope)
    who: Who | None = request.state.who
    inside = asked.token is None and who is not None and who.via == "demo"
    if inside or (access.is_demo_link(asked.token or "") and at_this_machine(request.scope)):
        await access.audit.note_of(DEMO_NAME, "link", "demo_entered", origin, detail={"as": asked.as_role})
        roles: list[Role] | None = None if asked.as_role is None else [asked.as_role]
        technician = await console.store.row(_DEMO_TECHNICIAN) if asked.as_role == "technician" else None
        technician_id = None if technician is None else str(technician["technician_id"])
        return await _begin(console, request, response, None, roles=roles, technician_id=technician_id)
    if asked.token is None:
        raise _bad_link()
    if await access.is_setup_link(asked.token):
        return LinkNeeds(needs="first_user")
    row = await access.users.linked(asked.token, access.clock.now_ms())
    if row is None:
        raise _bad_link()
    return LinkNeeds(needs="password", name=row["name"], display=row["display"])


@router.post("/setup", summary="Make the first user · 开通首个用户", responses=responses(401, 409, 422, 429))
async def setup(console: Console, request: Request, response: Response, asked: FirstUser) -> SessionView:
    """By the link that the start printed, while there is no user."""
    access, origin = console.access, address(request.scope)
    if not await access.is_setup_link(asked.token):
        raise _bad_link()
    wanted = NewUser(name=asked.name, display=asked.display, roles=["supervisor", "engineer"], language=asked.language)
    name = proper_name(asked.name)
    check_password(asked.password, name)
    hashed, now_ms = await access.passwords.hash(asked.password), access.clock.now_ms()
    user_id = await access.users.make(wanted, "setup", now_ms, password_hash=hashed, first=True)
    await access.audit.note_of(name, "link", "user_made", origin, about=str(user_id), detail={"roles": wanted.roles})
    return await _begin(console, request, response, user_id)


@router.post("/session/password", summary="Choose a password · 设置密码", responses=responses(401, 422, 429))
async def choose_password(console: Console, request: Request, response: Response, asked: ChoosePassword) -> SessionView:
    """By a link, once; or, signed in, by the old password. Every other session of the user ends."""
    access, origin, now_ms = console.access, address(request.scope), console.access.clock.now_ms()
    who: Who | None = request.state.who
    if asked.token is not None:
        row = await access.users.linked(asked.token, now_ms)
        if row is None:
            raise _bad_link()
        user_id, name = UUID(str(row["user_id"])), str(row["name"])
    elif who is not None and who.user_id is not None and asked.old_password is not None:
        proven = await access.way.prove(who.name, asked.old_password, origin, now_ms)
        user_id, name = proven.user_id, proven.name
    else:
        raise not_signed_in()
    check_password(asked.password, name)
    hashed = await access.passwords.hash(asked.password)
    if asked.token is not None and not await access.users.use_link(asked.token, now_ms):
        raise _bad_link()
    await access.users.set_password(user_id, hashed, now_ms)
    await access.sessions.end_of_user(user_id)
    access.forget()
    await access.audit.note_of(name, "link" if asked.token is not None else "password", "password_chosen", origin, about=str(user_id))
    return await _begin(console, request, response, user_id)


async def _begin(
    console: Running,
    request: Request,
    response: Response,
    user_id: UUID | None,
    *,
    roles: list[Role] | None = None,
    technician_id: str | None = None,
) -> SessionView:
    """A new session, whatever was before it: a cookie that somebody planted is worth nothing after signing in."""
    access, before = console.access, cookie_of(request.scope)
    if before is not None:
        await access.sessions.end(digest(before))
        access.forget()
    origin = address(request.scope)
    cookie = await access.sessions.begin(user_id, origin, access.clock.now_ms(), roles=roles, technician_id=technician_id)
    who = await access.of_cookie(cookie, origin)
    if who is None:
        # Disabled in this very moment.
        raise wrong()
    response.set_cookie(cookie_name(request.scope), cookie, **_flags(request))
    response.headers["Cache-Control"] = "no-store"
    return _view(console, who, cookie)


def _flags(request: Request) -> dict[str, Any]:
    # No lifetime: the cookie goes with the browser, and its end is kept here.
    return {"path": "/", "secure": request.scope["scheme"] == "https", "httponly": True, "samesite": "strict"}


def _view(console: Running, who: Who, cookie: str | None) -> SessionView:
    user = SessionUser(
        name=who.name,
        display=who.display,
        roles=[role for role in ROLES if role in who.roles],
        districts=None if who.districts is None else list(who.districts),
        technician_id=who.technician_id,
        crew_id=who.crew_id,
        language=who.language,
    )
    return SessionView(
        user=user,
        rights=sorted(who.rights & ALL_RIGHTS),
        csrf="" if cookie is None else csrf_of(cookie),
        expires_ms=who.expires_ms,
        now_ms=console.access.clock.now_ms(),
        demo=console.access.demo,
    )


def _bad_link() -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "bad_link",
        "链接无效、已使用或已到期",
        "the link is not valid, was used, or has ended",
    )
