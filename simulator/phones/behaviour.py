"""How a simulated person treats a ringing phone. Pure; what is drawn at random comes from the number and a seed alone."""

import random
from typing import Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Manner = Literal[
    "presses_1",
    "presses_2",
    "presses_9",
    "confirms_at_once",
    "listens",
    "hangs_up_early",
    "busy",
    "declines",
    "never_answers",
    "voicemail",
    "switched_off",
    "wrong_number",
    "network_down",
]

MANNERS: Final[tuple[Manner, ...]] = get_args(Manner)

_DRAW: Final[tuple[tuple[Manner, int], ...]] = (
    ("presses_1", 70),
    ("presses_2", 4),
    ("presses_9", 2),
    ("hangs_up_early", 6),
    ("busy", 4),
    ("declines", 3),
    ("never_answers", 7),
    ("voicemail", 3),
    ("switched_off", 1),
)
"""Weights for a number that nobody was told about."""


class Behaviour(BaseModel):
    """One number's way. Durations in seconds of the simulator's clock.

    ``confirms_at_once`` is a phone without sound (see ``brief``): it answers, presses 1 after ``listens_s`` and hears nothing.
    ``rings_s`` passes before the phone is picked up (or refused), ``listens_s`` between answer and key or early hang-up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    manner: Manner
    rings_s: float = Field(2.0, ge=0)
    listens_s: float = Field(8.0, ge=0)

    @property
    def key(self) -> str | None:
        """The key that is pressed, if any."""
        if self.manner == "confirms_at_once":
            return "1"
        return self.manner.removeprefix("presses_") if self.manner.startswith("presses_") else None

    @property
    def answers(self) -> bool:
        """Whether the phone is picked up at all."""
        return self.key is not None or self.manner in ("listens", "hangs_up_early", "voicemail")


REFUSED_BY_EXCHANGE: Final[dict[Manner, tuple[int, str, int | None]]] = {
    "declines": (603, "Decline", None),
    "switched_off": (480, "Temporarily Unavailable", 20),
    "wrong_number": (404, "Not Found", 1),
    "network_down": (503, "Service Unavailable", None),
}
"""Manners that never reach a phone: SIP code, phrase, and the Q.850 cause that the exchange gives in a Reason header."""


def drawn(number: str, seed: int) -> Behaviour:
    """The behaviour of a number by chance: always the same for the same number and seed."""
    chance = random.Random(f"{seed}:{number}")
    manner = chance.choices([name for name, _ in _DRAW], [weight for _, weight in _DRAW])[0]
    if manner == "hangs_up_early":
        return Behaviour(manner=manner, rings_s=round(chance.uniform(2, 8), 1), listens_s=round(chance.uniform(1.5, 6), 1))
    return Behaviour(manner=manner, rings_s=round(chance.uniform(2, 12), 1), listens_s=round(chance.uniform(8, 25), 1))
