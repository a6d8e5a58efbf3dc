"""Which sentence comes next while the words may change under way. Pure: knows neither sound nor time.

New words take effect at the next sentence. A sentence that was already said in this pass and has changed is said again in its new
form before the recital goes on: what was true of the valve a moment ago must not be the last thing that people heard of it.
"""

import re
from typing import Final

_END = re.compile(r"(?<=[。！？；])|(?<=[.!?;])(?=\s)|\n+")

LONGEST: Final = 240
"""Characters of one sentence; a longer one is cut so that new words are never far away."""


def sentences(text: str) -> tuple[str, ...]:
    """The text cut into the pieces that are spoken in one breath, their closing marks kept."""
    found = (piece.strip() for piece in _END.split(text))
    return tuple(part for piece in found if piece for part in _cut(piece))


def _cut(sentence: str) -> list[str]:
    return [sentence[at : at + LONGEST] for at in range(0, len(sentence), LONGEST)]


class Recital:
    """One message, said pass after pass."""

    def __init__(self, text: str) -> None:
        self._sentences = sentences(text)
        self._next = 0

    def reword(self, text: str) -> None:
        """Replace the words. Goes back to the first sentence of this pass that is now different."""
        new = sentences(text)
        same = 0
        while same < min(len(new), len(self._sentences), self._next) and new[same] == self._sentences[same]:
            same += 1
        self._next = same
        self._sentences = new

    def peek(self) -> str | None:
        """The sentence that ``take`` would give; at the end of a pass the first one of the next."""
        if self._next < len(self._sentences):
            return self._sentences[self._next]
        return self._sentences[0] if self._sentences else None

    def take(self) -> str | None:
        """The next sentence of this pass; None once when a pass is over, then the message begins again."""
        if self._next >= len(self._sentences):
            self._next = 0
            return None
        sentence = self._sentences[self._next]
        self._next += 1
        return sentence
