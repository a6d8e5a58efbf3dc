"""A small certificate authority: who is a device, proved by a key that only the device holds.

Decides what a certificate says (its common name is the account), what is refused a certificate, and what the revocation list
names. One folder holds it all; every change is one appended line or one file replaced in one step. Refuses to know the broker.
"""

import datetime
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeGuard

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from core.errors import UserError
from core.ids import is_account, is_reserved
from deploy.embedded.certificate_parts import (
    AUTHORITY_USAGE,
    LEAF_USAGE,
    PublicKey,
    certificate_builder,
    common_name,
    read_request,
    server_names,
    subject,
)

AUTHORITY_DAYS: Final = 20 * 365
DEVICE_DAYS: Final = 10 * 365
"""A gas meter is exchanged after ten years; a certificate that ends before its device silences a home."""

SERVER_DAYS: Final = 397
_ISSUED, _REVOKED = "issued", "revoked"
_BROKER: Final = "Gas Sentinel broker"
_BACKDATE: Final = datetime.timedelta(hours=1)
_SECOND: Final = datetime.timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One device certificate. Times are UTC; ``revoked`` is None while it stands."""

    serial: int
    account: str
    begins: datetime.datetime
    ends: datetime.datetime
    revoked: datetime.datetime | None = None

    def valid(self, now: datetime.datetime) -> bool:
        """Whether the broker lets it in."""
        return self.revoked is None and self.begins <= now < self.ends


class Authority:
    """The authority of one folder. ``create`` makes one, the constructor opens it."""

    def __init__(self, folder: Path) -> None:
        """Raises UserError when there is no authority in the folder, or none that can be read."""
        self.folder = folder.absolute()
        try:
            key = load_pem_private_key((self.folder / "ca.key").read_bytes(), None)
            self.certificate = x509.load_pem_x509_certificate(self.certificate_file.read_bytes())
        except FileNotFoundError:
            raise UserError(
                f"{folder} 中没有证书机构：请先执行 gas-sentinel certificates init（或用 --authority 指定目录）",
                f"there is no certificate authority in {folder}: run 'gas-sentinel certificates init' first, or name it with --authority",
            ) from None
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise UserError(
                f"{folder} 中的证书机构无法读取：{error}", f"the certificate authority in {folder} cannot be read: {error}"
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != self.certificate.public_key():
            raise UserError(f"{folder} 中的 ca.key 与 ca.crt 不符", f"ca.key and ca.crt in {folder} do not belong together")
        self._key = key

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """By which its certificates and its revocation lists are known to be its own."""
        return self._key.public_key()

    @classmethod
    def create(cls, folder: Path, name: str = "Gas Sentinel") -> "Authority":
        """A new authority with a key of its own and an empty revocation list. Raises UserError where one is already."""
        folder = folder.absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            if (folder / "ca.key").exists():
                raise UserError(
                    f"{folder} 中已有证书机构；重建会使已签发的证书全部失效，如确需重建请先移走该目录",
                    f"{folder} already holds a certificate authority; a new one would disown every certificate it issued. Move the "
                    "folder away first if that is what you want",
                )
            key = ec.generate_private_key(ec.SECP256R1())
            builder = certificate_builder(subject(name), subject(name), key.public_key(), _now(), AUTHORITY_DAYS)
            certificate = (
                builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .add_extension(AUTHORITY_USAGE, critical=True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                .sign(key, SHA256())
            )
            write_whole(folder / "ca.crt", certificate.public_bytes(Encoding.PEM), 0o644)
            write_whole(folder / "ca.key", private_pem(key), 0o600)
        except OSError as error:
            raise _unwritable(folder, error) from None
        made = cls(folder)
        made.write_revocations([])
        return made

    @property
    def certificate_file(self) -> Path:
        """What devices need in order to know the broker, and the broker to know them. Not secret."""
        return self.folder / "ca.crt"

    @property
    def revocations_file(self) -> Path:
        """The revocation list, PEM."""
        return self.folder / "revoked.crl"

    def issue(self, account: str, days: int = DEVICE_DAYS) -> tuple[bytes, bytes]:
        """A new key and its certificate for an account: (certificate, key), PEM. Raises UserError for what is no device's name."""
        _check_account(account)
        key = ec.generate_private_key(ec.SECP256R1())
        return self._sign_device(account, key.public_key(), days), private_pem(key)

    def sign_request(self, account: str, request: bytes, days: int = DEVICE_DAYS) -> bytes:
        """The certificate for a key that the device made itself, from its request (CSR, PEM or DER).

        Of the request only the key is taken over. Raises UserError when it cannot be read, is not signed by that key, is for
        another name, or when the key is too weak.
        """
        _check_account(account)
        try:
            read = read_request(request)
            named, sound, key = common_name(read.subject), read.is_signature_valid, read.public_key()
        except (ValueError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise UserError(f"证书请求无法读取：{error}", f"the certificate request cannot be read: {error}") from None
        if not sound:
            raise UserError("证书请求的签名不符", "the certificate request is not signed by the key that it names")
        if named != account:
            raise UserError(
                f"证书请求的主体名（CN）是 {named or '空'}，应为 {account}",
                f"the common name of the request is {named or 'empty'}, it has to be {account}",
            )
        if not _strong(key):
            raise UserError(
                "密钥强度不足：需要 EC P-256 / P-384，或至少 2048 位的 RSA",
                "the key is too weak or of an unknown kind: EC P-256 or P-384, or RSA of 2048 bits and more",
            )
        return self._sign_device(account, key, days)

    def issue_server(self, names: list[str], days: int = SERVER_DAYS) -> tuple[bytes, bytes]:
        """A key and a certificate for the broker itself under these names and addresses: (certificate, key), PEM.

        It is no device's: the broker refuses it as one. It is not listed and cannot be revoked; it is short-lived instead.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._leaf(subject(_BROKER), key.public_key(), days, ExtendedKeyUsageOID.SERVER_AUTH)
        builder = builder.add_extension(x509.SubjectAlternativeName(server_names(names)), critical=False)
        return builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM), private_pem(key)

    def revoke(self, account: str) -> int:
        """Revoke every certificate of an account that stands; returns how many. Raises UserError when it never had one."""
        with self._locked():
            entries = self.entries()
            if all(entry.account != account for entry in entries):
                raise UserError(f"从未给 {account} 签发过证书", f"no certificate was ever issued for {account}")
            standing = [entry for entry in entries if entry.account == account and entry.revoked is None]
            now = _now()
            for entry in standing:
                self._note({"event": _REVOKED, "serial": f"{entry.serial:x}", "at": now.isoformat()})
            # Written even when nothing is new: a list that was lost or is behind comes back this way.
            self.write_revocations(self.entries())
        return len(standing)

    def entries(self) -> list[Entry]:
        """Every device certificate ever issued, in that order. A line torn by a crash is passed over: it had not been handed out."""
        found: dict[int, Entry] = {}
        try:
            lines = self._ledger.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            try:
                said = json.loads(line)
                serial = int(said["serial"], 16)
                if said["event"] == _ISSUED:
                    found[serial] = Entry(serial, said["account"], _time(said["begins"]), _time(said["ends"]))
                elif serial in found and found[serial].revoked is None:
                    entry = found[serial]
                    found[serial] = Entry(serial, entry.account, entry.begins, entry.ends, _time(said["at"]))
            except (ValueError, KeyError, TypeError):
                continue
        return list(found.values())

    def write_revocations(self, entries: list[Entry]) -> None:
        """Replace the revocation list. It holds as long as the authority: a list that runs out would lock every device out."""
        # Of two lists the broker believes the one with the later date, and dates have whole seconds.
        begins, number = _now() - _BACKDATE, 1
        if self.revocations_file.exists():
            before = x509.load_pem_x509_crl(self.revocations_file.read_bytes())
            begins = max(begins, before.last_update_utc + _SECOND)
            number = before.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number + 1
        # One by one the builder copies all that it has, which takes minutes at the size of a city.
        gone = [
            x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(entry.revoked).build()
            for entry in entries
            if entry.revoked is not None and entry.ends > begins  # one that has ended is refused as it is
        ]
        builder = (
            x509.CertificateRevocationListBuilder(self.certificate.subject, revoked_certificates=gone)
            .last_update(begins)
            .next_update(self.certificate.not_valid_after_utc)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(self._signer(), critical=False)
        )
        pem = builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)
        try:
            write_whole(self.revocations_file, pem, 0o644)
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    def _sign_device(self, account: str, key: PublicKey, days: int) -> bytes:
        certificate = self._leaf(subject(account), key, days, ExtendedKeyUsageOID.CLIENT_AUTH).sign(self._key, SHA256())
        # Noted before it is handed out: what exists can always be revoked.
        with self._locked():
            self._note(
                {
                    "event": _ISSUED,
                    "serial": f"{certificate.serial_number:x}",
                    "account": account,
                    "begins": certificate.not_valid_before_utc.isoformat(),
                    "ends": certificate.not_valid_after_utc.isoformat(),
                }
            )
        return certificate.public_bytes(Encoding.PEM)

    def _leaf(self, name: x509.Name, key: PublicKey, days: int, purpose: x509.ObjectIdentifier) -> x509.CertificateBuilder:
        latest = self.certificate.not_valid_after_utc
        builder = certificate_builder(name, self.certificate.subject, key, _now() - _BACKDATE, days, latest)
        return (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(LEAF_USAGE, critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(self._signer(), critical=False)
        )

    def _signer(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())

    @property
    def _ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    def _note(self, event: dict[str, str]) -> None:
        try:
            handle = os.open(self._ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, b"\n" + json.dumps(event).encode() + b"\n")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise _unwritable(self.folder, error) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unwritable(self.folder, error) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step; nobody but its owner may read it before it has its ``mode``."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.chmod(mode)
    fresh.replace(path)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key as PEM, not encrypted: a device and a broker start without anybody typing."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _check_account(account: str) -> None:
    if not is_account(account):
        raise UserError(
            f"账号 {account!r} 无效：1 至 32 个字母、数字、_ 或 -", f"{account!r} is no account: 1 to 32 letters, digits, '_' and '-'"
        )
    if is_reserved(account):
        raise UserError(f"账号 {account} 为平台保留", f"the account {account} is kept for the platform itself")


def _strong(key: object) -> TypeGuard[PublicKey]:
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
    return isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(f"{folder} 无法写入（{error.strerror}）", f"{folder} cannot be written ({error.strerror})")
