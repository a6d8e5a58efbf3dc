"""The API keeps what it says of itself: everything that its description allows, and much that it does not, is asked of a real console.

No answer is a fault of the console, each has a status, a type and a shape that the description names. Each operation is asked for what is
there and for what is not, by a desk and by a technician, and is done for one of them at least once: what is refused to all was not tried.
Changes go to stations that do not answer, so that each waits no longer than a moment.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from console.access.table import NEEDED
from tests.console.contract_stage import Things
from tests.console.stage import Records, Served

ALLOWED, NOT_ALLOWED = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
CHECKS: Final = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
NOT_ASKED: Final = {
    "GET /events": "it never ends",
    "GET /metrics": "it is text",
    "GET /health": "its 503 is an answer: the stations are away here",
    # They sign whoever asks in or out; their own tests ask them.
    "POST /session": "it signs in",
    "DELETE /session": "it signs out",
    "POST /session/link": "it signs in",
    "POST /session/password": "it signs in",
    "POST /setup": "it signs in",
}
REFUSED: Final = "/demo/"
"""Below it everything is refused: only the demonstration has a simulated district, and nobody's role the right to it."""


@pytest.fixture
def console(start_console: Callable[..., Served], tmp_path: Path) -> Served:
    return start_console(answer_wait_s=0.01, requests_per_s=10_000, recordings_dir=tmp_path)


@pytest.fixture
def things(records: Records, console: Served, tmp_path: Path) -> Things:
    return Things(records, console, tmp_path)


class Questions:
    """What is asked of one operation; the statuses of its answers."""

    def __init__(self, operation: Any, name: str, things: Things) -> None:
        self._operation = operation
        self._ids = things.named_by(name)
        self._body = things.body_of(name)
        self.statuses: set[int] = set()

    def ask_all(self, desk: dict[str, str], technician: dict[str, str]) -> None:
        """Each is the headers of whoever asks. Raises what a check raises."""
        # What is done but once, as the end of a token, is done before anything that was drawn can do it.
        for headers in (desk, technician):
            self._ask(self._plain(), headers)
        self._draw(6, ALLOWED, desk)
        if self._operation.body or any(self._operation.iter_parameters()):
            self._draw(3, NOT_ALLOWED, desk)
        for headers in (desk, technician):
            self._draw(3, ALLOWED, headers, at_things=True)

    def _ask(self, case: schemathesis.Case[Any], headers: dict[str, str]) -> None:
        response = case.call(headers=headers)
        self.statuses.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    def _plain(self) -> schemathesis.Case[Any]:
        """For what is there, and with nothing that may be left out."""
        operation, ids, body = self._operation, self._ids, self._body
        found: schemathesis.Case[Any] = operation.Case(
            path_parameters={each.name: ids[each.name] for each in operation.path_parameters},
            query={each.name: ids[each.name] for each in operation.query if each.is_required},
            body=NOT_SET if body is None else body,
            media_type=None if body is None else "image/jpeg" if isinstance(body, bytes) else "application/json",
        )
        return found

    def _draw(self, examples: int, mode: GenerationMode, headers: dict[str, str], *, at_things: bool = False) -> None:
        @settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
        @given(case=self._operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case[Any]) -> None:
            if at_things:
                self._lead_to_things(case)
            self._ask(case, headers)

        ask()

    def _lead_to_things(self, case: schemathesis.Case[Any]) -> None:
        """Of whatever was drawn, each id becomes that of a thing that is there, and whoever asks asks in his own name."""
        for part in (case.path_parameters, case.query, case.body):
            if isinstance(part, dict):
                part.update({name: self._ids[name] for name in part if name in self._ids})
        if isinstance(case.body, dict):
            case.body.pop("actor", None)


def _headers(client: httpx.Client) -> dict[str, str]:
    return {**client.headers, "Cookie": f"gs_session={client.cookies['gs_session']}"}


def test_nothing_that_may_be_asked_is_answered_with_a_fault_or_with_what_is_not_described(console: Served, things: Things) -> None:
    schema = schemathesis.openapi.from_dict(console.get("/openapi.json"))
    schema.config.base_url = console.url
    # A token that was drawn would be asked with in place of the cookie: it is wrong, and too many wrong ones are answered 429.
    schema.config.generation.update(with_security_parameters=False)
    desk, technician = _headers(things.desk), _headers(things.technician)
    answered: dict[str, set[int]] = {}
    wrong: list[str] = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        name = f"{operation.method.upper()} {operation.path.removeprefix('/api/v1')}"
        if name in NOT_ASKED:
            continue
        questions = Questions(operation, name, things)
        answered[name] = questions.statuses
        try:
            questions.ask_all(desk, technician)
        except (AssertionError, FailureGroup) as error:
            wrong.append(f"{name}: {error}")
    assert wrong == []
    assert {*answered} == {*NEEDED} - {*NOT_ASKED}
    assert {name for name, statuses in answered.items() if statuses & {401, 429}} == set(), "each was asked by somebody who is signed in"
    not_done = {name: statuses for name, statuses in answered.items() if not any(200 <= status < 300 for status in statuses)}
    assert not_done == {name: statuses for name, statuses in answered.items() if REFUSED in name and 403 in statuses}
