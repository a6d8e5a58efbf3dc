"""``python -m gateway``: the line."""

import sys

import uvloop

from alarm_engine.settings import LineSettings
from core import log
from core.errors import UserError
from gateway.station import main

if __name__ == "__main__":
    settings = LineSettings()
    log.configure("line", settings.log_level)
    try:
        uvloop.run(main(settings))
    except UserError as error:
        # One line for a person, no traceback.
        sys.exit(str(error))
