"""What the console shows of itself: a complete description of its API, and nothing else of the disk."""

import re
import subprocess
import sys
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI

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
        if method == "post" and operation["tags"] == ["requests"] and "acknowledge" not in path and "remarks" not in path:
            assert {"200", "202", "404", "409", "422"} <= set(operation["responses"]), where


def test_the_api_is_the_one_that_was_agreed(description: dict[str, Any]) -> None:
    api = "/api/v1"
    expected = {
        *((f"{api}{path}", "get") for path in (
            "/homes", "/homes/{home_id}", "/homes/{home_id}/readings", "/devices", "/devices/{device_id}", "/incidents",
            "/incidents/{incident_id}", "/incidents/{incident_id}/timeline", "/commands", "/orders", "/orders/{order_no}", "/calls",
            "/crews", "/tasks", "/events", "/requests/{request_id}", "/conditions", "/conditions/homes", "/homes/{home_id}/holds",
        )),
        *((f"{api}{path}", "post") for path in (
            "/incidents", "/homes/{home_id}/close-valve", "/devices/{device_id}/self-test", "/devices/{device_id}/report",
            *(f"/orders/{{order_no}}/{step}" for step in (
                "accept", "on-site", "no-access", "made-safe", "cause", "tightness-test", "restore", "archive", "open-valve")),
            "/tasks/{task_id}/done", "/crews/{crew_id}/position", "/homes/{home_id}/holds", "/homes/{home_id}/holds/lift",
            "/exports/incidents", "/exports/orders",
        )),
        ("/health", "get"),
        ("/metrics", "get"),
    }  # fmt: skip
    assert expected <= {(path, method) for path, method, _ in _operations(description)}


def test_only_users_and_tokens_are_changed_or_removed(description: dict[str, Any]) -> None:
    others = {path.removeprefix("/api/v1/") for path, method, _ in _operations(description) if method not in {"get", "post"}}
    assert others == {"session", "users/{user_id}", "tokens/{token_id}"}


@pytest.mark.parametrize("path", ["/assets/", "/assets/../settings.py", "/assets/%2e%2e/settings.py", "/docs", "/redoc"])
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
        out, _ = process.communicate(timeout=90)
    assert (process.returncode, out) == (0, "")
