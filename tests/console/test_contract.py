"""The API keeps what it says of itself: everything that its description allows, and much that it does not, is asked of a real console.

No answer is a fault of the console, each has a status, a type and a shape that the description names. Changes go to stations that do not
answer, so that each waits no longer than a moment.
"""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.console.stage import Records, Served

EXAMPLES = 6
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
NOT_ASKED = {"/api/v1/events": "it never ends", "/metrics": "it is text", "/health": "its 503 is an answer: the stations are away here"}
OF_THEMSELVES = {"/api/v1/session", "/api/v1/session/link", "/api/v1/session/password", "/api/v1/setup"}
"""They sign whoever asks in or out; their own tests ask them."""


@pytest.fixture
def busy(start_console: Callable[..., Served], records: Records) -> Served:
    """A console with a leak under way in one home."""
    records.home(1)
    crew = records.crew()
    incident = records.incident(1)
    records.event(incident, "opened", 1_775_120_400_100)
    records.order(incident, crew_id=crew, state="on_site")
    records.call(incident)
    records.command(incident)
    records.task(incident)
    return start_console(answer_wait_s=0.05, requests_per_s=10_000)


def test_nothing_that_may_be_asked_is_answered_with_a_fault_or_with_what_is_not_described(busy: Served) -> None:
    description: dict[str, Any] = busy.get("/openapi.json")
    schema = schemathesis.openapi.from_dict(description)
    schema.config.base_url = busy.url
    asker = busy.signed_in("supervisor", "engineer", "auditor", "dispatcher", name="curious")
    headers = {**asker.headers, "Cookie": f"gs_session={asker.cookies['gs_session']}"}
    asked: set[str] = set()
    wrong: list[str] = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path in NOT_ASKED or operation.path in OF_THEMSELVES or "/demo/" in operation.path:
            continue

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS)

        try:
            ask()
        except (AssertionError, FailureGroup) as error:
            wrong.append(f"{operation.method} {operation.path}: {error}")
        asked.add(operation.path)
    assert wrong == []
    assert len(asked) > 50
