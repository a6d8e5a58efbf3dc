"""``gas-sentinel up`` with stations that do nothing: real PostgreSQL, real broker, real supervision. Arguments: data folder, ports."""

import sys
from pathlib import Path

from core.errors import UserError
from deploy.parts import CONSOLE, DISPATCH, LINE, VOICE, Process
from deploy.terminal import Terminal
from deploy.up import UpOptions, run_until_stopped

STUB = (sys.executable, str(Path(__file__).with_name("stub_station.py")))
DIES = (sys.executable, "-c", "import sys; sys.exit('this station dies at once')")


def main() -> int:
    data, http_port, mqtt_port, dying = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    processes = tuple(Process(name, DIES if name in dying else STUB) for name in (LINE, VOICE, DISPATCH, CONSOLE))
    options = UpOptions(data, http_port=http_port, mqtt_port=mqtt_port, language="en", processes=processes)
    terminal = Terminal("en")
    try:
        return run_until_stopped(options, terminal)
    except UserError as error:
        terminal.refuse(error)
        return 2


if __name__ == "__main__":
    sys.exit(main())
