"""``gas-sentinel users``: who may sign in, from the machine that the platform runs on. For when nobody can sign in any more, too.

Whoever may run this owns the database; what he does is recorded as done by command.
"""

import asyncio
import getpass
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from core.errors import UserError
from deploy.cli_registry import Dsn, PlatformFile, database_of, platform_file
from deploy.terminal import Terminal, result, spoken_language

if TYPE_CHECKING:
    from console.access.audit import Audit
    from console.access.users import NewUser, User, Users

_T = TypeVar("_T")

users = typer.Typer(help="Who may sign in to the pages. · 网页用户。", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What he signs in with. · 登录名。")]


@users.command("list")
def list_users(postgres: Dsn = None, platform: PlatformFile = None) -> None:
    """One line a user: name, roles, districts, whether he may sign in. · 列出用户。"""

    async def work(them: "Users", _: "Audit", _now_ms: int) -> None:
        after: str | None = None
        while page := await them.page(after, 100):
            for user in page:
                result(_line(user))
            after = page[-1].name

    _with_users(work, postgres, platform)


@users.command("add")
def add_user(
    name: NameArgument,
    role: Annotated[list[str], typer.Option(help="May be repeated. · 角色，可重复。")],
    display: Annotated[str | None, typer.Option(help="How he is called on pages. · 显示名。", show_default=False)] = None,
    district: Annotated[
        list[str] | None, typer.Option(help="GB/T 2260 code; may be repeated; none = all. · 行政区划代码。", show_default=False)
    ] = None,
    technician: Annotated[str | None, typer.Option(metavar="ID", help="His technician_id. · 抢修人员工号。", show_default=False)] = None,
    postgres: Dsn = None,
    platform: PlatformFile = None,
) -> None:
    """Make a user and print the link with which he chooses his password. · 新建用户并打印设密链接。"""
    from console.access.users import NewUser

    wanted = _checked(
        lambda: NewUser.model_validate(
            {"name": name, "display": display or name, "roles": role, "districts": district, "technician_id": technician}
        )
    )

    async def work(them: "Users", audit: "Audit", now_ms: int) -> str:
        user_id = await them.make(wanted, _operator(), now_ms)
        await audit.note_of(_operator(), "command", "user_made", "", about=str(user_id), detail=wanted.model_dump(mode="json"))
        return await them.new_link(user_id, _operator(), now_ms)

    _say_link(_with_users(work, postgres, platform), postgres, platform)


@users.command("password")
def password_link(name: NameArgument, postgres: Dsn = None, platform: PlatformFile = None) -> None:
    """Print a link with which a user chooses a new password, and let him in again if he was disabled. · 打印重设密码链接。"""
    from console.access.users import UserChange

    async def work(them: "Users", audit: "Audit", now_ms: int) -> str:
        user = await _named(them, name)
        await audit.note_of(_operator(), "command", "password_link_made", "", about=str(user.user_id))
        if user.disabled_ms is not None:
            await them.change(user, UserChange(disabled=False), now_ms)
        return await them.new_link(user.user_id, _operator(), now_ms)

    _say_link(_with_users(work, postgres, platform), postgres, platform)


@users.command("disable")
def disable_user(name: NameArgument, postgres: Dsn = None, platform: PlatformFile = None) -> None:
    """Let a user in no more; his sessions end within seconds. · 停用用户。"""
    from console.access.users import UserChange

    async def work(them: "Users", audit: "Audit", now_ms: int) -> None:
        user = await _named(them, name)
        await audit.note_of(_operator(), "command", "user_changed", "", about=str(user.user_id), detail={"disabled": True})
        await them.change(user, UserChange(disabled=True), now_ms)

    _with_users(work, postgres, platform)
    Terminal(spoken_language()).say(f"已停用 {name}", f"{name} is disabled")


def _with_users(work: "Callable[[Users, Audit, int], Coroutine[Any, Any, _T]]", postgres: str | None, platform: Path | None) -> "_T":
    """Do some work on the users of the platform that the options lead to. Raises UserError for what is refused."""
    from console.access.audit import Audit
    from console.access.users import Users
    from console.problems import Problem
    from console.store import DatabaseAway, Store
    from core.clock import SystemClock

    dsn, clock = database_of(postgres, platform), SystemClock()

    async def whole() -> _T:
        store = Store(dsn)
        await store.start()
        try:
            return await work(Users(store), Audit(store, clock), clock.now_ms())
        finally:
            await store.stop()

    try:
        return asyncio.run(whole())
    except Problem as problem:
        raise UserError(problem.details.zh, problem.details.en) from None
    except DatabaseAway as error:
        raise UserError(f"数据库无法访问：{error}", f"the database cannot be reached: {error}") from None


async def _named(them: "Users", name: str) -> "User":
    found = await them.secret_of(name.casefold())
    if found is None:
        raise UserError(f"没有用户 {name}", f"there is no user {name}")
    return await them.read(found["user_id"])


def _checked(make: "Callable[[], NewUser]") -> "NewUser":
    try:
        return make()
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UserError(f"用户信息有误：{found}", f"the user cannot be made so: {found}") from None


def _say_link(secret: str, postgres: str | None, platform: Path | None) -> None:
    """The link, on stdout; only its end where it is not known where the pages are."""
    from deploy.data_folder import read_platform

    http = "" if postgres is not None else str(read_platform(platform_file(platform))["http"])
    Terminal(spoken_language()).say(
        "请把此链接交给本人：24 小时内一次有效，用来设置密码。", "Hand this link to the user: good once, for 24 h, to choose a password."
    )
    result(f"{http}/setup#{secret}")


def _operator() -> str:
    """Who runs this command, by his account on this machine."""
    try:
        return f"@{getpass.getuser()}"
    except (KeyError, OSError):
        return "@"


def _line(user: "User") -> str:
    where = "*" if user.districts is None else ",".join(user.districts)
    state = "disabled" if user.disabled_ms is not None else "ok" if user.has_password else "no password yet"
    return "\t".join((user.name, ",".join(user.roles), where, user.technician_id or "-", state, user.display))
