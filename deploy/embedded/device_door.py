"""The broker's TLS listener for devices that prove themselves by a certificate: what it shows and whom it no longer lets in.

Decides which files the broker needs and when they have to be new: the revocation list whenever the authority wrote one, its own
certificate long before it ends. Refuses to know processes; who asks gets files.
"""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography import x509

from core.errors import UserError
from deploy.embedded.account import Say, silence
from deploy.embedded.authority import Authority
from deploy.embedded.processes import LOOPBACK

RENEW_AFTER_S: Final = 30 * 86_400.0
"""Age at which the broker gets a fresh certificate. It would hold for a year: an `up` that runs for long never shows an old one."""

DOOR_FILES: Final = ("ca.crt", "server.crt", "server.key", "revoked.crl")

_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104  to know them by, not to listen on


class DeviceDoor:
    """One listener: where it listens, and the authority behind it. ``names`` are further names that devices know it by."""

    def __init__(
        self,
        authority: Path,
        port: int,
        host: str = LOOPBACK,
        names: tuple[str, ...] = (),
        *,
        warn: Say = silence,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``warn`` hears what goes wrong later. Raises UserError when there is no authority in that folder."""
        self.authority = Authority(authority)
        self.host, self.port = host, port
        self._names = [*names, *([] if host in _EVERYWHERE else [host]), "localhost", LOOPBACK, "::1", socket.gethostname()]
        self.warn = warn
        self._clock = clock
        self._made = 0.0
        self._taken: tuple[int, int] | None = None
        self._revoked: frozenset[int] = frozenset()
        self._pending: tuple[float, tuple[int, int] | None, frozenset[int]] = (self._made, self._taken, self._revoked)

    def files(self) -> dict[str, bytes]:
        """Everything that the broker reads at its start, by file name. Raises UserError when the authority cannot be read."""
        self._taken = self._stamp()
        revocations, self._revoked = self._revocations()
        files = {"ca.crt": self._read(self.authority.certificate_file), "revoked.crl": revocations, **self._own()}
        self._made = self._clock()
        return files

    def news(self) -> tuple[dict[str, bytes], list[str]]:
        """The files that are new since :meth:`delivered`, and the accounts of which a certificate was revoked since.

        Raises UserError when the revocation list cannot be read; it is looked at again once it has changed.
        """
        files: dict[str, bytes] = {}
        accounts: list[str] = []
        now, stamp = self._clock(), self._stamp()
        self._pending = (self._made, self._taken, self._revoked)
        if now - self._made > RENEW_AFTER_S:
            files |= self._own()
            self._pending = (now, *self._pending[1:])
        if stamp != self._taken:
            try:
                files["revoked.crl"], revoked = self._revocations()
            except UserError:
                self._taken = stamp
                raise
            fresh = revoked - self._revoked
            accounts = sorted({entry.account for entry in self.authority.entries() if entry.serial in fresh})
            self._pending = (self._pending[0], stamp, revoked)
        return files, accounts

    def delivered(self) -> None:
        """The broker has what :meth:`news` gave."""
        self._made, self._taken, self._revoked = self._pending

    def _own(self) -> dict[str, bytes]:
        certificate, key = self.authority.issue_server(self._names)
        return {"server.crt": certificate, "server.key": key}

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self.authority.revocations_file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def _revocations(self) -> tuple[bytes, frozenset[int]]:
        pem = self._read(self.authority.revocations_file)
        try:
            read = x509.load_pem_x509_crl(pem)
            sound = read.is_signature_valid(self.authority.public_key)
        except (ValueError, TypeError) as error:
            raise _unusable(self.authority.revocations_file, str(error)) from None
        if not sound:
            # The broker would then refuse every device there is.
            raise _unusable(self.authority.revocations_file, "signed by another authority")
        return pem, frozenset(entry.serial_number for entry in read)

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise _unusable(path, str(error.strerror)) from None


def _unusable(path: Path, why: str) -> UserError:
    return UserError(f"{path} 无法使用（{why}），证书登录维持原状", f"{path} cannot be used ({why}); certificates stay as they are")
