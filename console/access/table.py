"""What each route of the API needs, as one table. What is not in it is refused to everybody.

Decides nothing about places: a right says what may be done, the scope says where.
"""

from collections.abc import Mapping
from typing import Final

from console.access.rights import Right

OPEN: Final[frozenset[str]] = frozenset({"POST /session", "DELETE /session", "POST /session/link", "POST /session/password", "POST /setup"})
"""For those who are not signed in yet."""

NEEDED: Final[Mapping[str, Right]] = {
    "GET /session": "read",
    "GET /users": "users",
    "POST /users": "users",
    "PATCH /users/{user_id}": "users",
    "GET /tokens": "tokens",
    "POST /tokens": "tokens",
    "DELETE /tokens/{token_id}": "tokens",
    "GET /audit": "audit",
    # --- looking
    "GET /incidents": "read",
    "GET /incidents/{incident_id}": "read",
    "GET /incidents/{incident_id}/timeline": "read",
    "GET /incidents/{incident_id}/remarks": "read",
    "GET /homes": "read",
    "GET /homes/{home_id}": "read",
    "GET /homes/{home_id}/readings": "read",
    "GET /homes/{home_id}/holds": "read",
    "GET /devices": "read",
    "GET /devices/{device_id}": "read",
    "GET /conditions": "read",
    "GET /conditions/homes": "read",
    "GET /overview": "read",
    "GET /orders": "read",
    "GET /orders/{order_no}": "read",
    "GET /orders/{order_no}/attachments": "read",
    "GET /attachments/{attachment_id}": "read_people",
    "GET /calls": "read",
    "GET /calls/{call_id}/recording": "read_people",
    "GET /commands": "read",
    "GET /crews": "read",
    "GET /tasks": "read",
    "GET /events": "read",
    "GET /requests/{request_id}": "read",
    "GET /search": "read",
    "GET /map": "read",
    "GET /map/estates": "read",
    "GET /map/buildings": "read",
    "GET /promise": "read",
    "GET /board": "read",
    "GET /handover": "handover",
    "GET /handover/owners": "read",
    "GET /handovers": "read",
    "GET /handovers/{handover_id}": "read",
    "POST /homes/{home_id}/people": "unmask",
    # --- taken out of the house
    "POST /exports/incidents": "export",
    "POST /exports/orders": "export",
    # --- the desk
    "POST /incidents": "hotline",
    "POST /incidents/{incident_id}/acknowledge": "remark",
    "POST /incidents/{incident_id}/remarks": "remark",
    "POST /homes/{home_id}/close-valve": "close_valve",
    "POST /homes/{home_id}/holds": "hold",
    "POST /homes/{home_id}/holds/lift": "hold",
    "POST /devices/{device_id}/self-test": "device_command",
    "POST /devices/{device_id}/report": "device_command",
    "POST /tasks/{task_id}/done": "task",
    "POST /orders/{order_no}/reassign": "assign",
    "POST /handovers": "handover",
    "POST /handovers/{handover_id}/take": "handover",
    "POST /handovers/{handover_id}/withdraw": "handover",
    # --- the technician
    "GET /field/orders": "order_step",
    "GET /field/orders/{order_no}/live": "order_step",
    "POST /orders/{order_no}/accept": "order_step",
    "POST /orders/{order_no}/on-site": "order_step",
    "POST /orders/{order_no}/no-access": "order_step",
    "POST /orders/{order_no}/made-safe": "order_step",
    "POST /orders/{order_no}/cause": "order_step",
    "POST /orders/{order_no}/restore": "order_step",
    "POST /orders/{order_no}/archive": "order_step",
    "POST /orders/{order_no}/open-valve": "order_step",
    "POST /orders/{order_no}/attachments": "order_step",
    "POST /crews/{crew_id}/position": "order_step",
    # Without reception his pressures are entered by the desk: the route itself asks for order_desk where the actor is not the asker.
    "POST /orders/{order_no}/tightness-test": "read",
    # --- the demonstration
    "POST /demo/leak": "demo",
    "POST /demo/building-leak": "demo",
    "GET /demo/homes": "demo",
    "GET /demo/buildings": "demo",
    "GET /demo/phones": "demo",
    "GET /demo/crews": "demo",
    "POST /demo/crew": "demo",
}


def needed(method: str, path: str) -> Right | None:
    """The right that a route below /api/v1 needs, by its template; None where nobody may."""
    return NEEDED.get(f"{method} {path.removeprefix('/api/v1')}")
