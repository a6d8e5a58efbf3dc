"""Carries device and hub accounts from the database to the broker: at once by NOTIFY, and by looking every few seconds behind it.

Knows the table ``broker_accounts`` and nothing else of the registry. With the database away the broker keeps what it has.
"""

import threading
from collections.abc import Callable, Mapping

import psycopg

from core.errors import UserError
from deploy.embedded.account import Say, silence

CHANNEL = "broker_accounts"
_POLL_SECONDS = 5.0
_RETRY_SECONDS = 2.0
# Count and order-free sum over all rows: a city's table is compared without being carried over.
_FINGERPRINT = "SELECT count(*), coalesce(sum(hashtextextended(account || ':' || password_hash, 0)::numeric), 0) FROM broker_accounts"
_ACCOUNTS = "SELECT account, password_hash FROM broker_accounts"


class BrokerAccounts:
    """A thread that calls ``give`` with all accounts (account -> hash) whenever the table has changed, and once at the start."""

    def __init__(self, dsn: Callable[[], str], give: Callable[[Mapping[str, str]], None], say: Say = silence) -> None:
        self._dsn = dsn
        self._give = give
        self._say = say
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker-accounts", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; returns when the thread has ended."""
        self._stopping.set()
        self._thread.join(_POLL_SECONDS)

    def _run(self) -> None:
        away = False
        while not self._stopping.is_set():
            try:
                self._listen()
            except UserError as error:
                self._say(error.zh, error.en)
                self._stopping.wait(_RETRY_SECONDS)
            except psycopg.Error as error:
                if not away:
                    self._say(
                        f"读取设备账号失败，稍后重试：{str(error).strip().splitlines()[0]}",
                        f"device accounts cannot be read, trying again: {str(error).strip().splitlines()[0]}",
                    )
                away = True
                self._stopping.wait(_RETRY_SECONDS)

    def _listen(self) -> None:
        with psycopg.connect(self._dsn(), autocommit=True, connect_timeout=2, application_name="broker accounts") as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            known: tuple[object, ...] | None = None
            while not self._stopping.is_set():
                seen = connection.execute(_FINGERPRINT).fetchone()
                if seen != known:
                    self._give(dict(connection.execute(_ACCOUNTS).fetchall()))
                    known = seen
                waited = 0.0
                while waited < _POLL_SECONDS and not self._stopping.is_set():
                    if any(True for _ in connection.notifies(timeout=0.25, stop_after=1)):
                        break
                    waited += 0.25
