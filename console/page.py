"""Serves the first page and its three files, with headers that let it load nothing from anywhere else. Knows no data."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

STATIC: Final = Path(__file__).resolve().parent / "static"

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The files are few and near: a page of an older version must never speak to a newer console.
    "Cache-Control": "no-cache",
}

_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/static/page.css": ("page.css", "text/css; charset=utf-8"),
    "/static/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/static/incident.js": ("incident.js", "text/javascript; charset=utf-8"),
    "/static/text.js": ("text.js", "text/javascript; charset=utf-8"),
    "/static/words.js": ("words.js", "text/javascript; charset=utf-8"),
    "/static/icon.svg": ("icon.svg", "image/svg+xml"),
}


def routes() -> APIRouter:
    """One route a file; nothing else of the disk can be asked for."""
    router = APIRouter(include_in_schema=False)
    for path, (name, media_type) in _FILES.items():
        router.add_api_route(path, _serving(STATIC / name, media_type), methods=["GET", "HEAD"], name=name)
    return router


def _serving(file: Path, media_type: str) -> Callable[[], Awaitable[Response]]:
    content = file.read_bytes()

    async def serve() -> Response:
        return Response(content, media_type=media_type, headers=HEADERS)

    return serve
