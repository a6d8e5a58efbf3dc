"""Health is green only when every part says so; metrics count what happened."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from console.vocabulary import HEALTH_REASONS
from core.observe import Health, serve
from tests.console.stage import Records, Served


@contextmanager
def station(ok: bool, *reasons: str, **detail: object) -> Iterator[str]:
    """A station as it really answers, through core.observe."""
    observer = serve(0, lambda: Health(ok, reasons, detail), CollectorRegistry())
    try:
        yield f"http://127.0.0.1:{observer.port}/health"
    finally:
        observer.stop()


def test_green_when_all_parts_are_ready(start_console: Callable[..., Served]) -> None:
    with station(True) as line, station(True) as dispatch, station(True) as voice:
        console = start_console(line_health_url=line, dispatch_health_url=dispatch, voice_health_url=voice)
        response = console.http.get("/health")
    body = response.json()
    assert (response.status_code, body["ok"], body["reasons"]) == (200, True, [])
    assert set(body["parts"]) == {"line", "dispatch", "voice", "database"}
    assert response.headers["cache-control"] == "no-store"


def test_red_with_the_reasons_that_the_stations_give(start_console: Callable[..., Served]) -> None:
    with station(False, "broker_away") as line, station(True) as dispatch:
        console = start_console(line_health_url=line, dispatch_health_url=dispatch, voice_health_url="http://127.0.0.1:1/health")
        response = console.http.get("/health")
    body = response.json()
    assert (response.status_code, body["ok"]) == (503, False)
    assert body["reasons"] == ["line:broker_away", "voice:unreachable"]
    assert (body["parts"]["dispatch"]["ok"], body["parts"]["dispatch"]["reasons"]) == (True, [])
    assert "切断" in body["zh"]
    assert "closing valves" in body["en"]


def test_red_when_the_database_is_away_or_nobody_can_be_asked(start_console: Callable[..., Served]) -> None:
    console = start_console(postgres_dsn="postgresql://nobody@127.0.0.1:1/none")
    body = console.http.get("/health").json()
    assert body["reasons"] == ["line:not_configured", "dispatch:not_configured", "voice:not_configured", "database:away"]


def test_what_is_wrong_with_the_line_is_said_in_both_languages(start_console: Callable[..., Served]) -> None:
    with station(False, "canary_late", "journal_away", "database_away", canary_age_s=200.5) as line, station(True) as other:
        console = start_console(line_health_url=line, dispatch_health_url=other, voice_health_url=other)
        body = console.http.get("/health").json()
        figures = console.get("/api/v1/overview")
    assert body["reasons"] == ["line:canary_late", "line:journal_away", "line:database_away"]
    assert "平台自检超时" in body["zh"]
    assert "the self-check is late" in body["en"]
    assert [words["en"] for words in body["parts"]["line"]["words"]][1:] == ["the journal cannot be written", "the database is away"]
    assert (figures["canary_age_s"], figures["canary_passed"]) == (200.5, True)


def test_before_the_first_self_check_its_age_is_no_pass(start_console: Callable[..., Served]) -> None:
    with station(True, canary_age_s=4.0, canary_passed=False) as line:
        figures = start_console(line_health_url=line).get("/api/v1/overview")
    assert (figures["canary_age_s"], figures["canary_passed"]) == (4.0, False)


@pytest.mark.parametrize("station_file", ["gateway/station.py", "dispatch/station.py", "dispatch/voice/worker.py"])
def test_every_reason_of_a_station_has_words(station_file: str) -> None:
    text = (Path(__file__).parents[2] / station_file).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:reasons|missing)\.append\(\"(\w+)\"\)", text))
    assert named, "the reasons of this station are not found in its text"
    assert named | {"canary_late", "journal_away"} <= set(HEALTH_REASONS)


class _Nonsense(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        self.send_response(500)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", json.dumps({"reasons": 5}).encode()])
def test_a_station_that_talks_nonsense_is_red(start_console: Callable[..., Served], body: bytes) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Nonsense,), {"body": body}))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        console = start_console(line_health_url=f"http://127.0.0.1:{server.server_port}/health")
        line = console.http.get("/health").json()["parts"]["line"]
        assert (line["ok"], line["reasons"], line["detail"]) == (False, ["status_500"], {})
    finally:
        server.shutdown()
        server.server_close()


def test_metrics_count_requests_by_route_and_status(console: Served, records: Records) -> None:
    records.home(1)
    console.get("/api/v1/homes/home-0001")
    console.http.get("/api/v1/homes/none")
    console.http.get("/nothing")
    families = {family.name: family for family in text_string_to_metric_families(console.http.get("/metrics").text)}
    counted = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for sample in families["gas_sentinel_http_requests"].samples
        if sample.name.endswith("_total")
    }
    assert counted["/api/v1/homes/{home_id}", "200"] == 1
    assert counted["/api/v1/homes/{home_id}", "404"] == 1
    assert counted["none", "404"] == 1
    assert not any("home-0001" in route for route, _ in counted)
    assert "gas_sentinel_http_request_seconds" in families
    assert families["gas_sentinel_stream_clients"].samples[0].value == 0
