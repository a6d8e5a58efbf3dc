"""``python -m gateway``: the line."""

import uvloop

from alarm_engine.settings import LineSettings
from core import log
from gateway.station import main

if __name__ == "__main__":
    settings = LineSettings()
    log.configure("line", settings.log_level)
    uvloop.run(main(settings))
