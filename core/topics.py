"""Topics of the device contract v1 and of the stations among themselves. Knows no payloads."""

from typing import Final, Literal, NamedTuple

Lane = Literal["telemetry", "alarm", "ack", "status"]

UP_ALARM: Final = "gas/v1/+/up/alarm"
UP_ACK: Final = "gas/v1/+/up/ack"
UP_TELEMETRY: Final = "gas/v1/+/up/telemetry"
UP_STATUS: Final = "gas/v1/+/up/status"

TO_DISPATCH: Final = "gas/station/dispatch"
TO_LINE: Final = "gas/station/line"

_LANES: Final[dict[str, Lane]] = {"telemetry": "telemetry", "alarm": "alarm", "ack": "ack", "status": "status"}


class UpTopic(NamedTuple):
    """Who published, and on which of his four topics."""

    account: str
    lane: Lane


def parse_up(topic: str) -> UpTopic | None:
    """Read ``gas/v1/{account}/up/{lane}``; None when it is no such topic."""
    parts = topic.split("/")
    if len(parts) != 5 or parts[0] != "gas" or parts[1] != "v1" or parts[3] != "up" or not parts[2]:
        return None
    lane = _LANES.get(parts[4])
    return None if lane is None else UpTopic(parts[2], lane)


def up(account: str, lane: Lane) -> str:
    """The topic on which an account publishes."""
    return f"gas/v1/{account}/up/{lane}"


def down_command(account: str) -> str:
    """Where commands go: to the account that serves the device."""
    return f"gas/v1/{account}/down/command"


def down_ack(account: str) -> str:
    """Where the promise that an alarm is durable goes."""
    return f"gas/v1/{account}/down/ack"
