"""The folder that one platform lives in: its lock, its secrets, its logs and the line that says where it listens."""

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

from core.errors import UserError
from deploy.embedded.mosquitto_files import STATION_ACCOUNTS

PLATFORM_FILE = "platform.json"
_LONGEST_SOCKET_PATH = 100


class DataFolder:
    """``DATA`` of ``gas-sentinel up``. Only one running platform may hold it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    def take(self) -> None:
        """Make the folder and lock it. Raises UserError when another platform runs on it, or when it cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UserError(
                f"数据目录 {self.path} 无法写入（{error.strerror}）：请用 --data 另选目录",
                f"the data folder {self.path} cannot be written ({error.strerror}): choose another with --data",
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode().strip()
            os.close(lock)
            raise UserError(
                f"数据目录 {self.path} 正被另一个平台使用（进程 {holder}）：请先停止它，或用 --data 另选目录",
                f"another platform (process {holder}) runs on the data folder {self.path}: stop it first, or choose another with --data",
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock

    def release(self) -> None:
        """Give the folder back; what told others where the platform listens is removed."""
        if self._lock is not None:
            self.platform_file.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.path / "logs"

    @property
    def platform_file(self) -> Path:
        """Holds the line that ``up`` prints, while it runs; after a kill -9 it stays."""
        return self.path / PLATFORM_FILE

    def show_log(self, name: str, actual: Path) -> None:
        """Make a log that a server keeps elsewhere visible among the others."""
        link = self.logs / f"{name}.log"
        if actual != link:
            link.unlink(missing_ok=True)
            link.symlink_to(actual)

    def state(self, station: str) -> Path:
        """Where a station keeps what it must not lose, for its own user alone: it holds addresses and telephone numbers."""
        folder = self.path / "state" / station
        for each in (folder.parent, folder):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def recordings(self) -> Path:
        """Where the voice worker keeps what was said on calls, for its own user alone."""
        folder = self.path / "recordings"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def voice_socket(self) -> Path:
        """Path of the socket between dispatch and its voice worker: short enough for the kernel."""
        inside = self.path / "voice.sock"
        if len(str(inside)) < _LONGEST_SOCKET_PATH:
            return inside
        return Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp") / f"gas-sentinel-{os.getpid()}.sock"  # noqa: S108  short, and always there

    def station_passwords(self) -> dict[str, str]:
        """The stations' passwords at the broker, made once and kept for this user alone."""
        file = self.path / "secrets.json"
        known: dict[str, str] = {}
        if file.exists():
            known = json.loads(file.read_text(encoding="utf-8"))
        if not all(name in known for name in STATION_ACCOUNTS):
            known = {name: secrets.token_hex(24) for name in STATION_ACCOUNTS} | known
            write_private(file, json.dumps(known, indent=1) + "\n")
        return {name: known[name] for name in STATION_ACCOUNTS}

    def write_platform(self, line: str) -> None:
        """Keep the line that ``up`` prints, for the commands that talk to this platform. It holds passwords."""
        write_private(self.platform_file, line + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def read_platform(path: Path) -> dict[str, Any]:
    """The platform that a file describes: the line of ``gas-sentinel up``. Raises UserError when there is no such line."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"没有找到 {path}：平台没有运行？请先启动 gas-sentinel up，或用 --platform 指定文件",
            f"{path} is not there: is the platform running? Start 'gas-sentinel up' first, or name the file with --platform",
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} 无法读取：{error}", f"{path} cannot be read: {error}") from None
    if not isinstance(read, dict) or not {"mqtt", "postgres", "http"} <= read.keys():
        raise UserError(f"{path} 不是 gas-sentinel up 输出的那一行", f"{path} does not hold the line that 'gas-sentinel up' prints")
    return read
