"""Every error of the API as RFC 9457 problem details in both languages. Decides wording and status; knows no table."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from structlog import get_logger

from console.store import DatabaseAway

MEDIA_TYPE = "application/problem+json"
_log = get_logger()


class FieldError(BaseModel):
    """One field of a request that was not accepted."""

    where: str = Field(description="path of the field, e.g. body.end_kpa")
    en: str = Field(description="what is wrong with it")


class ProblemDetails(BaseModel):
    """RFC 9457 problem details; `zh` and `en` are sentences that may be shown to a person."""

    type: str = Field(description="what kind of problem, a URI", examples=["urn:gas-sentinel:problem:not-found"])
    title: str = Field(description="short name of the kind, both languages")
    status: int = Field(description="HTTP status")
    detail: str = Field(description="this very case, in English")
    reason: str = Field(description="code from a closed list, for programs", examples=["not_found"])
    zh: str = Field(description="this very case, in Chinese")
    en: str = Field(description="this very case, in English")
    request_id: str | None = Field(None, description="the request that a station refused")
    errors: list[FieldError] | None = Field(None, description="422 only: the fields")


class Problem(Exception):  # noqa: N818  the trade's name for it is "problem"
    """Raised anywhere below a route; answered as problem details."""

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        zh: str,
        en: str,
        *,
        request_id: str | None = None,
        errors: list[FieldError] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(en)
        self.retry_after_s = 2 if retry_after_s is None and status == HTTPStatus.SERVICE_UNAVAILABLE else retry_after_s
        self.details = ProblemDetails(
            type=f"urn:gas-sentinel:problem:{reason.replace('_', '-')}",
            title=_TITLES.get(status, status.phrase),
            status=status,
            detail=en,
            reason=reason,
            zh=zh,
            en=en,
            request_id=request_id,
            errors=errors,
        )


_TITLES = {
    HTTPStatus.UNAUTHORIZED: "Not signed in / 未登录",
    HTTPStatus.FORBIDDEN: "Not allowed / 无权限",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large / 内容过大",
    HTTPStatus.TOO_MANY_REQUESTS: "Too often / 请求过于频繁",
    HTTPStatus.NOT_FOUND: "Not found / 没有找到",
    HTTPStatus.METHOD_NOT_ALLOWED: "Method not allowed / 不支持该操作",
    HTTPStatus.CONFLICT: "Refused by the station / 站点拒绝",
    HTTPStatus.MISDIRECTED_REQUEST: "Not addressed to this console / 请求地址不符",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Request not understood / 请求内容有误",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not available now / 暂不可用",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Fault of the console / 控制台故障",
}


def not_found(zh: str, en: str) -> Problem:
    """404 for a thing that this platform does not know."""
    return Problem(HTTPStatus.NOT_FOUND, "not_found", zh, en)


def database_is_away(error: DatabaseAway) -> Problem:
    """503 while the database cannot be asked."""
    _log.warning("database away", reason=str(error))
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "database_away",
        "数据库暂时无法访问；接警与切断不受影响",
        "the database is away; receiving leaks and closing valves goes on without it",
    )


def bad_cursor() -> Problem:
    """422 for a page cursor that we did not give out."""
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "bad_cursor",
        "翻页标记无效，请从第一页重新开始",
        "the cursor is not one of ours: start again without 'after'",
        errors=[FieldError(where="query.after", en="not a cursor of this list")],
    )


def answer(problem: Problem) -> JSONResponse:
    """The response of a problem."""
    body = problem.details.model_dump(exclude_none=True)
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    return JSONResponse(body, status_code=problem.details.status, headers=headers, media_type=MEDIA_TYPE)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entry of the problems that a route may answer with, besides 503."""
    return {
        status: {"description": _TITLES[HTTPStatus(status)], "content": {MEDIA_TYPE: {"schema": _REFERENCE}}} for status in (*statuses, 503)
    }


_REFERENCE = {"$ref": "#/components/schemas/ProblemDetails"}


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` as problem details."""

    @app.exception_handler(Problem)
    async def ours(_: Request, problem: Problem) -> JSONResponse:
        return answer(problem)

    @app.exception_handler(DatabaseAway)
    async def database_away(_: Request, error: DatabaseAway) -> JSONResponse:
        return answer(database_is_away(error))

    @app.exception_handler(RequestValidationError)
    async def not_understood(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(_invalid(error.errors()))

    @app.exception_handler(psycopg.DataError)
    async def not_storable(_: Request, error: psycopg.DataError) -> JSONResponse:
        _log.info("not storable", reason=str(error).splitlines()[0])
        return answer(
            Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid",
                "请求内容含有数据库不能接受的字符或数值",
                "the request holds a character or number that the database does not take",
            )
        )

    @app.exception_handler(HTTPException)
    async def framework(_: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        if isinstance(error.__cause__, Problem):
            # Raised by the gate while the framework read the body: too large.
            return answer(error.__cause__)
        if status is HTTPStatus.BAD_REQUEST:
            # The framework's word for a body that it could not read at all; what it could read and not understand is 422, and so is this.
            return answer(_unreadable())
        zh = {404: "没有这个地址", 405: "该地址不支持这种操作"}.get(status, "请求无法处理")
        en = {404: "there is nothing at this address", 405: "this address does not take this method"}.get(status, status.phrase)
        return answer(Problem(status, status.name.lower(), zh, en))

    @app.exception_handler(Exception)
    async def fault(_: Request, error: Exception) -> JSONResponse:
        _log.error("fault", exc_info=error)
        return answer(
            Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "fault", "控制台内部故障，已记入日志", "a fault of the console; it was logged")
        )


def _unreadable() -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        "请求内容不是 UTF-8 编码的 JSON",
        "the request's body is not JSON in UTF-8",
        errors=[FieldError(where="body", en="not JSON in UTF-8")],
    )


def _invalid(errors: Sequence[Any]) -> Problem:
    fields = [FieldError(where=".".join(str(part) for part in e["loc"]), en=str(e["msg"])) for e in errors[:20]]
    names = ", ".join(f.where for f in fields)
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        f"请求内容有误：{names}",
        f"the request is not understood: {names}",
        errors=fields,
    )
