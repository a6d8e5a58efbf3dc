"""The pages as the console serves them: from memory, packed where the browser can, loading nothing from anywhere else."""

import gzip
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from console import page
from console.page import HEADERS, OPERATIONS, routes


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """What a build leaves behind."""
    for name, text in {
        "index.html": "<title>燃气哨兵</title>",
        "field/index.html": "<title>抢修</title>",
        "icon.svg": "<svg/>",
        "field/worker.js": "addEventListener('fetch', () => undefined)",
        "assets/index-abc.js": "export const words = '报警'",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    packed = gzip.compress((tmp_path / "assets/index-abc.js").read_bytes(), mtime=0)
    (tmp_path / "assets/index-abc.js.gz").write_bytes(packed)
    return tmp_path


def served(pages: Path) -> httpx.AsyncClient:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, routes=[*routes(pages)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


@pytest.mark.parametrize("path", ["/", "/wall", "/desk", "/desk/incidents/5f0c", "/admin/users", "/signin", "/setup", "/demo"])
async def test_every_path_of_the_operations_centre_is_its_page(pages: Path, path: str) -> None:
    async with served(pages) as http:
        found = await http.get(path)
    assert (found.status_code, found.text) == (200, "<title>燃气哨兵</title>")
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    # An older page must never speak to a newer console.
    assert found.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/field/", "/field/orders/QX-260402-0017"])
async def test_the_technicians_page_is_another(pages: Path, path: str) -> None:
    async with served(pages) as http:
        assert (await http.get(path)).text == "<title>抢修</title>"


async def test_a_file_below_a_page_is_the_file(pages: Path) -> None:
    async with served(pages) as http:
        found = await http.get("/field/worker.js")
    assert found.headers["content-type"] == "text/javascript; charset=utf-8"
    assert found.headers["cache-control"] == "no-cache"


async def test_what_is_named_by_its_content_is_kept_and_packed(pages: Path) -> None:
    async with served(pages) as http:
        packed = await http.get("/assets/index-abc.js", headers={"Accept-Encoding": "gzip"})
        plain = await http.get("/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text == "export const words = '报警'"
    assert "content-encoding" not in plain.headers
    assert packed.headers["vary"] == "Accept-Encoding"
    assert "immutable" in packed.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/assets/index-abc.js.gz", "/index.html", "/assets/", "/assets/../secret", "/assets/%2e%2e/secret", "/other"]
)
async def test_nothing_else_of_the_disk_can_be_asked_for(pages: Path, path: str) -> None:
    (pages.parent / "secret").write_text("no", encoding="utf-8")
    async with served(pages) as http:
        assert (await http.get(path)).status_code == 404


async def test_without_a_build_the_page_says_what_to_do(tmp_path: Path) -> None:
    async with served(tmp_path) as http:
        found = await http.get("/")
    assert found.status_code == 503
    assert "make setup" in found.text


@pytest.mark.parametrize("path", ["/", "/field/", "/icon.svg", "/assets/index-abc.js"])
async def test_everything_is_sent_with_headers_that_keep_it_at_home(pages: Path, path: str) -> None:
    async with served(pages) as http:
        found = await http.get(path)
    policy = dict(part.strip().split(" ", 1) for part in found.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe-eval" not in found.headers["content-security-policy"]
    assert {name: found.headers[name] for name in HEADERS} == HEADERS


def test_the_routes_of_the_page_are_the_ones_that_are_served() -> None:
    web = Path(page.__file__).parent / "web" / "src"
    written = "\n".join(file.read_text(encoding="utf-8") for name in ("*routes.ts", "router.ts", "more.ts") for file in web.rglob(name))
    # The technician's routes are its own page's.
    paths = {path for path in re.findall(r'path: "(/[^":]*)', written) if not path.startswith("/field")}
    assert paths
    heads = {f"/{path.split('/')[1]}" for path in OPERATIONS}
    assert {f"/{path.split('/')[1]}" for path in paths} <= heads
