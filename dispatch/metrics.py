"""What dispatch counts. Labels are closed lists of words; nothing here names a home, a person or a number."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_FAST: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)

MESSAGES: Final = Counter("dispatch_messages_total", "Messages from the line, by type, way and what was done", ["type", "way", "result"])
UNREADABLE: Final = Counter("dispatch_messages_unreadable_total", "Messages from the line that could not be read", ["way"])
RELEASED: Final = Counter("dispatch_messages_released_total", "Messages given back to the broker before they were durable")
INBOX_OLDEST: Final = Gauge("dispatch_inbox_oldest_seconds", "Age of the oldest message that is not durable yet, in real seconds")
LEDGER_DEPTH: Final = Gauge("dispatch_ledger_depth", "Pieces of work that wait for the database")
GIVEN_UP: Final = Counter("dispatch_ledger_given_up_total", "Pieces of work that the database refused for good", ["what"])

ORDER_MADE: Final = Histogram("dispatch_order_made_seconds", "From the platform receiving the alarm to its work order", buckets=_FAST)
CALL_PLACED: Final = Histogram("dispatch_call_placed_seconds", "From the platform receiving the alarm to the first INVITE", buckets=_FAST)
ORDERS: Final = Gauge("dispatch_orders_open", "Orders not archived, by kind and state", ["kind", "state"])
WAITING_OLDEST: Final = Gauge("dispatch_orders_waiting_oldest_seconds", "Age of the oldest order that waits for a crew")
TASKS: Final = Gauge("dispatch_tasks_open", "Tasks for the desk that are not done, by kind", ["kind"])

CALLS: Final = Counter("dispatch_calls_total", "Calls that ended, by outcome", ["outcome"])
CALLS_UNDER_WAY: Final = Gauge("dispatch_calls_under_way", "Calls that have not ended")
CALLS_WAITING: Final = Gauge("dispatch_calls_waiting", "Calls that wait for a telephone line")
CANARY_CALLS: Final = Counter("dispatch_canary_calls_total", "Calls of the canary to its own telephone, by end", ["end"])
LADDERS: Final = Gauge("dispatch_ladders_open", "Incidents whose people are still being called")
RECORDS_WAITING: Final = Gauge("dispatch_call_records_waiting", "Call records that wait for the database")

JOURNAL_BYTES: Final = Gauge("dispatch_journal_bytes", "Size of the journal of what is not in the database yet")
JOURNAL_FAILURES: Final = Counter("dispatch_journal_failures_total", "Times that the journal could not be read or written")

REQUESTS: Final = Counter("dispatch_requests_total", "Requests answered, by kind and result", ["kind", "result"])
REQUEST_ANSWER: Final = Histogram("dispatch_request_answer_seconds", "From taking a request to its answer", buckets=_FAST)
