"""What the console shows of itself: a complete description of its API, and a page that loads nothing from anywhere else."""

import re
import subprocess
import sys
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI

from console.page import STATIC
from console.settings import ConsoleSettings
from tests.console.stage import Served


@pytest.fixture
def description(console: Served) -> dict[str, Any]:
    found: dict[str, Any] = console.get("/openapi.json")
    return found


def _operations(description: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, operation) for path, item in description["paths"].items() for method, operation in item.items()]


def test_the_description_is_valid_and_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    OpenAPI.model_validate(description)
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(description)))
    assert references
    assert references <= set(description["components"]["schemas"])


def test_every_route_is_documented_in_both_languages(description: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in description["tags"]}
    names = [operation["operationId"] for _, _, operation in _operations(description)]
    assert len(names) == len(set(names))
    for path, method, operation in _operations(description):
        where = f"{method} {path}"
        assert re.search(r"[\u4e00-\u9fff]", operation["summary"]), where
        assert operation["description"], where
        assert operation["tags"], where
        assert set(operation["tags"]) <= tags, where
        if path.startswith("/api/"):
            assert operation["responses"]["503"]["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
            }, where
        if "422" in operation["responses"]:
            assert "application/problem+json" in operation["responses"]["422"]["content"], where
        if method == "post":
            assert {"200", "202", "404", "409", "422"} <= set(operation["responses"]), where


def test_the_api_is_the_one_that_was_agreed(description: dict[str, Any]) -> None:
    api = "/api/v1"
    expected = {
        *((f"{api}{path}", "get") for path in (
            "/homes", "/homes/{home_id}", "/homes/{home_id}/readings", "/devices/{device_id}", "/incidents", "/incidents/{incident_id}",
            "/incidents/{incident_id}/timeline", "/commands", "/orders", "/orders/{order_no}", "/calls", "/crews", "/tasks", "/events",
            "/requests/{request_id}", "/conditions", "/conditions/homes", "/homes/{home_id}/holds",
        )),
        *((f"{api}{path}", "post") for path in (
            "/incidents", "/homes/{home_id}/close-valve", "/devices/{device_id}/self-test", "/devices/{device_id}/report",
            *(f"/orders/{{order_no}}/{step}" for step in (
                "accept", "on-site", "no-access", "made-safe", "cause", "tightness-test", "restore", "archive", "open-valve")),
            "/tasks/{task_id}/done", "/crews/{crew_id}/position", "/homes/{home_id}/holds", "/homes/{home_id}/holds/lift",
        )),
        ("/health", "get"),
        ("/metrics", "get"),
    }  # fmt: skip
    assert expected <= {(path, method) for path, method, _ in _operations(description)}


def test_only_requests_can_be_written(description: dict[str, Any]) -> None:
    assert {method for _, method, _ in _operations(description)} == {"get", "post"}


def test_the_page_is_served_with_headers_that_keep_it_at_home(console: Served) -> None:
    page = console.http.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "燃气哨兵" in page.text
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


def _scripts() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(STATIC.glob("*.js")))


def test_the_page_refers_to_its_own_files_only_and_all_of_them_are_there(console: Served) -> None:
    html = console.http.get("/").text
    links = re.findall(r'(?:src|href)="([^"#]+)"', html)
    assert "/static/page.js" in links
    assert all(link.startswith("/") and not link.startswith("//") for link in links)
    script = _scripts()
    links += re.findall(r'from "([^"]+)"', script)
    for link in set(links):
        assert console.http.get(link).status_code in {200, 503}, link
    for file in STATIC.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, f"{file.name} leads out"


def test_the_page_never_makes_markup_of_text() -> None:
    script = _scripts()
    for door in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", ".style."):
        assert door not in script
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)


def test_the_page_says_everything_in_both_languages() -> None:
    html = (STATIC / "index.html").read_text(encoding="utf-8")
    zh, en = (STATIC / "words.js").read_text(encoding="utf-8").split("\n};")[0].split("\n  en: {")
    names = [set(re.findall(r"(?:^|[,{]\s*|\n\s+)(\w+): ", part)) for part in (zh.split("zh: {", 1)[1], en)]
    assert names[0] == names[1]
    assert set(re.findall(r'data-say="(\w+)"', html)) <= names[0]


@pytest.mark.parametrize("path", ["/static/", "/static/../settings.py", "/static/%2e%2e/settings.py", "/docs", "/redoc"])
def test_nothing_else_is_served(console: Served, path: str) -> None:
    response = console.http.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


def test_a_method_that_is_not_there_is_a_problem(console: Served) -> None:
    response = console.http.delete("/api/v1/homes")
    assert (response.status_code, response.json()["reason"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_it_refuses_to_serve_beyond_this_machine(host: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        ConsoleSettings(http_host=host)


def test_a_bad_setting_is_one_line_and_status_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "console"],
        env={"GAS_SENTINEL_HTTP_HOST": "0.0.0.0", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("GAS_SENTINEL_HTTP_HOST: ")


def test_the_process_serves_logs_json_and_stops_cleanly(database: str) -> None:
    environment = {"GAS_SENTINEL_POSTGRES_DSN": database, "GAS_SENTINEL_HTTP_PORT": "0", "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(
        [sys.executable, "-m", "console"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert '"event": "serving"' in first
        assert '"station": "console"' in first
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
