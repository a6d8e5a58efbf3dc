"""Under whose name the embedded servers run, and which folders that name can reach.

PostgreSQL refuses root, so root drops to an unprivileged account; everybody else runs the servers as himself. Knows nothing of
what the servers do.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError

REACHABLE_ROOT = Path("/var/lib/gas-sentinel")
"""Where root puts what the unprivileged account must reach, when the wanted folder is closed to it (such as /root)."""

Say = Callable[[str, str], None]
"""Tells a person something, in Chinese and in English."""


def silence(zh: str, en: str) -> None:
    """A :data:`Say` for those who listen to nothing."""


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user of this machine."""

    name: str
    uid: int
    gid: int


def service_account() -> Account | None:
    """The user to drop to: None for an ordinary user, otherwise ``postgres`` where it exists and else ``nobody``."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise UserError(
        "以 root 运行时需要一个普通系统用户（postgres 或 nobody），本机都没有：请执行 useradd --system postgres",
        "run as root, PostgreSQL needs an ordinary user (postgres or nobody) and this machine has neither: run 'useradd --system postgres'",
    )


def as_account(account: Account | None) -> dict[str, Any]:
    """What makes :mod:`subprocess` start a program under that account; nothing when there is nobody to drop to."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": [], "cwd": "/"}


def can(account: Account | None, test: str, path: Path) -> bool:
    """Whether the account passes ``test -r|-w|-x`` on a path, asked of the kernel under that very account."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'test "$1" "$2"', "sh", test, str(path)], check=False, capture_output=True, **as_account(account)
    )
    return done.returncode == 0


def own(path: Path, account: Account | None, mode: int) -> None:
    """Give an existing path to the account with these permissions."""
    if account is not None:
        os.chown(path, account.uid, account.gid)
    path.chmod(mode)


def home_for(wanted: Path, account: Account | None, say: Say = silence) -> Path:
    """A folder that belongs to the account: ``wanted``, or one of its own below :data:`REACHABLE_ROOT` when it cannot get there.

    The substitute depends on the wanted path alone, so that the next start finds the same data again.
    """
    wanted = wanted.absolute()
    wanted.mkdir(parents=True, exist_ok=True)
    if account is None:
        wanted.chmod(0o700)
        return wanted
    if can(account, "-x", wanted.parent):
        own(wanted, account, 0o700)
        return wanted
    digest = hashlib.sha256(str(wanted).encode()).hexdigest()[:8]
    place = REACHABLE_ROOT / f"{wanted.parent.name}-{wanted.name}-{digest}"
    place.mkdir(parents=True, exist_ok=True)
    own(place, account, 0o700)
    (wanted / "MOVED").write_text(f"{place}\n", encoding="utf-8")
    say(
        f"用户 {account.name} 进不了 {wanted}，数据放在 {place}",
        f"{wanted} is closed to the user {account.name}; its data is kept in {place}",
    )
    return place


def programs_for(folder: Path, probe: str, name: str, account: Account | None, say: Say = silence) -> Path:
    """A copy of a folder of programs that the account can execute; the folder itself when it already can.

    ``probe`` is a program inside (relative) and ``name`` tells versions apart, so that a copy is made once.
    """
    if account is None or can(account, "-x", folder / probe):
        return folder
    place = REACHABLE_ROOT / "programs" / name
    if not can(account, "-x", place / probe):
        unfinished = place.with_name(f"{place.name}.{os.getpid()}")
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, unfinished, symlinks=True)
        for path in [unfinished, *unfinished.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        shutil.rmtree(place, ignore_errors=True)
        unfinished.rename(place)
        say(
            f"用户 {account.name} 无法执行 {folder} 中的程序，已复制到 {place}",
            f"the user {account.name} cannot run programs in {folder}; they were copied to {place}",
        )
    return place
