"""Serves the built pages, with headers that let them load nothing from anywhere else. Knows no data and no user.

Two pages: the operations centre's under every path of its own, the technician's under ``/field/``. A path that is no file and no page
is a 404 of the API's kind. The pages are built by ``deploy.pages``; without them one sentence says how to build them.
"""

import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from starlette.routing import Route

PAGES: Final = Path(__file__).resolve().parent / "pages"

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=()",
}
_FRESH: Final = {"Cache-Control": "no-cache"}
# Vite names these by their content: another content is another name.
_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_TYPES: Final = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".map": "application/json"}

OPERATIONS: Final = ("/", "/signin", "/setup", "/demo", "/wall", "/desk", "/desk/{rest:path}", "/admin/{rest:path}")
"""The paths that the operations centre's page serves by its own routes."""
FIELD: Final = ("/field/", "/field/{rest:path}")
_NOT_BUILT: Final = (
    "<!doctype html><meta charset=utf-8><title>燃气哨兵 Gas Sentinel</title>"
    "<p>页面尚未构建：请执行 <code>make setup</code>，然后刷新。</p>"
    "<p lang=en>The pages are not built: run <code>make setup</code>, then reload.</p>"
)


def routes(pages: Path = PAGES) -> list[Route]:
    """One route a file that stands there now, and the two pages; nothing else of the disk can be asked for."""
    found: list[Route] = []
    for file in sorted(path for path in pages.rglob("*") if path.is_file() and path.suffix not in {".html", ".gz"}):
        name = file.relative_to(pages).as_posix()
        found.append(_route(f"/{name}", _serving(file, _FOR_EVER if name.startswith("assets/") else _FRESH)))
    # A field file's own route stands before the page's, which takes every path below it.
    for paths, name in ((FIELD, "field/index.html"), (OPERATIONS, "index.html")):
        page = _page(pages / name)
        found += [_route(path, page) for path in paths]
    return found


def _route(path: str, serve: Callable[[Request], Awaitable[Response]]) -> Route:
    # Nothing of it is validated or described, and FastAPI's own kind of route costs several times as much to make, for each file.
    return Route(path, serve, methods=["GET"], include_in_schema=False)


def _serving(file: Path, caching: dict[str, str]) -> Callable[[Request], Awaitable[Response]]:
    content = file.read_bytes()
    media_type = _TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    packed = file.with_name(f"{file.name}.gz")
    small = packed.read_bytes() if packed.is_file() else None

    async def serve(request: Request) -> Response:
        headers = {**HEADERS, **caching}
        if small is None:
            return Response(content, media_type=media_type, headers=headers)
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(small, media_type=media_type, headers={**headers, "Content-Encoding": "gzip"})
        return Response(content, media_type=media_type, headers=headers)

    return serve


def _page(file: Path) -> Callable[[Request], Awaitable[Response]]:
    text, status = (file.read_text(encoding="utf-8"), 200) if file.is_file() else (_NOT_BUILT, 503)

    async def serve(_: Request) -> Response:
        return HTMLResponse(text, headers={**HEADERS, **_FRESH}, status_code=status)

    return serve
