"""What access adds to the API's description: how to sign in, what each route needs, and the answers that every route may give."""

from typing import Any, Final

from console.access.table import OPEN, needed
from console.problems import responses

_SCHEMES: Final = {
    "session": {"type": "apiKey", "in": "cookie", "name": "gs_session", "description": "POST /api/v1/session · 会话"},
    "token": {"type": "http", "scheme": "bearer", "description": "API token gs_… · 接口令牌"},
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[ -~]+$"},
    "description": "the same key gives the same answer for 24 h, and the change is made once; a token or link is told once"
    " · 重复提交只执行一次；令牌与密码链接只显示一次",
}
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_CHANGES: Final = frozenset({"post", "put", "patch", "delete"})


def describe_access(document: dict[str, Any]) -> None:
    """Complete an OpenAPI document in place."""
    document["components"]["securitySchemes"] = dict(_SCHEMES)
    for path, item in document["paths"].items():
        if not path.startswith("/api/v1"):
            continue
        for method in _METHODS:
            if method in item:
                _complete(item[method], method, path)


def _complete(operation: dict[str, Any], method: str, path: str) -> None:
    closed = f"{method.upper()} {path.removeprefix('/api/v1')}" not in OPEN
    statuses = [429, *([401, 403] if closed else []), *([403, 413] if method in _CHANGES else [])]
    for status in statuses:
        operation["responses"].setdefault(str(status), responses(status)[status])
    if not closed:
        operation["security"] = []
        return
    operation["security"] = [{"session": []}, {"token": []}]
    operation["x-right"] = needed(method.upper(), path)
    if method == "post":
        operation.setdefault("parameters", []).append(_KEY)
