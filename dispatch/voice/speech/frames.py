"""How the voice worker and the speech process talk: a JSON line each way, the answer followed by its bytes of sound."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class RenderRequest(BaseModel):
    """Say ``text``; ``words_per_minute`` is the speed."""

    model_config = ConfigDict(frozen=True)

    number: int
    language: Literal["zh", "en"]
    words_per_minute: int
    text: str


class RenderAnswer(BaseModel):
    """``size`` bytes of 8 kHz 16-bit mono PCM follow this line; none when ``error`` is set."""

    model_config = ConfigDict(frozen=True)

    number: int
    size: int
    error: str = ""
