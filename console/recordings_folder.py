"""Where the voice worker keeps what was said on each call: whether there is a recording, and which file it is.

Knows names and nothing else; the worker writes, lets the oldest go, and may do so at any moment.
"""

import os
from pathlib import Path
from typing import Final
from uuid import UUID

SUFFIX: Final = ".wav"


class RecordingsFolder:
    """The folder; none where nothing is recorded."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = str(folder) if folder else None

    def has(self, call_id: UUID) -> bool:
        """Whether what was said on this call can be heard now. One look at the disk."""
        return self._folder is not None and os.path.exists(os.path.join(self._folder, f"{call_id}{SUFFIX}"))

    def file(self, call_id: UUID) -> Path | None:
        """The sound of this call; None when there is none."""
        if self._folder is None:
            return None
        file = Path(self._folder) / f"{call_id}{SUFFIX}"
        return file if file.is_file() else None
