"""Where the telephone stack puts the files of its process: a folder of ours beside the voice socket, emptied at each start.

The stack makes a fresh folder for itself and leaves it behind when it is killed. Refuses to remove anything that does not lie in a
folder with our mark.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Final

MARK: Final = ".gas-sentinel-voice"


def take(voice_socket: Path) -> Path | None:
    """Make the folder this process's own for temporary files, without what an earlier life left there.

    None where a folder of that name is there and is not ours: the machine's folder for temporary files is used then. Raises OSError.
    """
    folder = voice_socket.with_name(f"{voice_socket.name}.stack")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark = folder / MARK
    if not mark.is_file() and any(folder.iterdir()):
        return None
    mark.touch()
    for left in folder.glob("baresip-*"):
        shutil.rmtree(left, ignore_errors=True)
    tempfile.tempdir = str(folder)
    return folder
