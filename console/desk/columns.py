"""Which column of the work-order board an order stands in, by the state that it is in. Pure data.

A column is what is waited for next: a test passed and gas restored both wait to be archived, a cause recorded waits for its test.
"""

from typing import Final, Literal, get_args

from dispatch.judgement.order_table import OrderState

Column = Literal["waiting", "assigned", "accepted", "on_site", "made_safe", "tested", "no_access"]
COLUMNS: Final[tuple[Column, ...]] = get_args(Column)

COLUMN_OF: Final[dict[OrderState, Column]] = {
    "created": "waiting",
    "waiting": "waiting",
    "assigned": "assigned",
    "accepted": "accepted",
    "on_site": "on_site",
    "no_access": "no_access",
    "made_safe": "made_safe",
    "cause_recorded": "made_safe",
    "tightness_passed": "tested",
    "restored": "tested",
}
"""Every state but ``archived``, which is on no board."""
