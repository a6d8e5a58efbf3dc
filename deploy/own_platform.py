"""A platform for one purpose, such as a scenario: on free ports, in a folder of its own, gone afterwards."""

import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from core.errors import UserError
from deploy.supervisor import Stopped, StopRequest
from deploy.terminal import Language, Terminal
from deploy.up import Platform, UpOptions


@contextmanager
def own_platform(
    *, homes: int, clock_rate: float, language: Language, settings: Mapping[str, str], terminal: Terminal, seed: int = 1
) -> Iterator[dict[str, Any]]:
    """Start a platform with that many simulated homes, give its line, and leave nothing behind. Main thread only.

    Raises UserError when it does not start. The parts are not restarted while the caller works.
    """
    folder = Path(tempfile.mkdtemp(prefix="gas-sentinel-"))
    # The database may run under another account, which has to get through here; what is secret is closed file by file.
    folder.chmod(0o755)
    stop = StopRequest()
    options = UpOptions(
        folder / "data", http_port=0, mqtt_port=0, clock_rate=clock_rate, language=language, seed_homes=homes, seed=seed, settings=settings
    )
    platform = Platform(options, terminal, stop)
    try:
        stop.listen()
        try:
            platform.start()
        except Stopped:
            raise KeyboardInterrupt from None
        except UserError:
            if stop.asked():
                raise KeyboardInterrupt from None
            raise
        finally:
            # From here on a signal ends the caller's work, and with it this block.
            stop.release()
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            yield platform.line
        finally:
            signal.signal(signal.SIGTERM, before)
    finally:
        platform.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
