"""The authority by itself, and the command that a person gives it."""

import datetime
import json
import os
import select
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.errors import UserError
from core.mqtt.tls import client_context
from deploy.embedded.authority import Authority
from deploy.embedded.certificate_parts import common_name
from deploy.embedded.mosquitto_files import STATION_ACCOUNTS
from deploy.embedded.mqtt_probe import ACCEPTED, connect_code
from deploy.embedded.testing import reachable_folder, remove_folder

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "authority")


def _read(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def _request(account: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, account)])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256()).public_bytes(Encoding.PEM)


def _ec_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve or ec.SECP256R1())


def test_a_certificate_says_whose_it_is_and_that_it_is_a_devices(authority: Authority) -> None:
    certificate = _read(authority.issue("M-1", 100)[0])
    assert common_name(certificate.subject) == "M-1"
    assert len(list(certificate.subject)) == 1
    certificate.verify_directly_issued_by(authority.certificate)
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == datetime.timedelta(days=100)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_no_certificate_outlives_the_authority(authority: Authority) -> None:
    assert _read(authority.issue("M-1", 20 * 366)[0]).not_valid_after_utc == authority.certificate.not_valid_after_utc


@pytest.mark.parametrize("account", ["", "a b", "x" * 33, "M/1", "M-1\n", "\u71c3\u6c14", "+", "#", "$SYS", "M\x00"])
def test_what_is_no_account_gets_no_certificate(authority: Authority, account: str) -> None:
    with pytest.raises(UserError, match="is no account"):
        authority.issue(account)
    with pytest.raises(UserError, match="is no account"):
        authority.sign_request(account, _request("M-1", _ec_key()))
    assert authority.entries() == []


@pytest.mark.parametrize("account", [*STATION_ACCOUNTS, "canary", "CANARY", "_x", "line-telemetry", "dispatch-2", "fleet-1"])
def test_nobody_gets_the_name_of_the_platforms_own_accounts_and_sessions(authority: Authority, account: str) -> None:
    with pytest.raises(UserError, match="kept for the platform"):
        authority.issue(account)
    with pytest.raises(UserError, match="kept for the platform"):
        authority.sign_request(account, _request(account, _ec_key()))


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_a_device_that_made_its_own_key_gets_a_certificate_for_it(authority: Authority, encoding: Encoding) -> None:
    key = _ec_key()
    request = x509.load_pem_x509_csr(_request("M-2", key)).public_bytes(encoding)
    certificate = _read(authority.sign_request("M-2", request))
    assert certificate.public_key() == key.public_key()
    assert [entry.account for entry in authority.entries()] == ["M-2"]


def test_of_a_request_only_the_key_is_taken_over(authority: Authority) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "M-3"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Others")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    request = builder.sign(_ec_key(), SHA256()).public_bytes(Encoding.PEM)
    certificate = _read(authority.sign_request("M-3", request))
    assert certificate.subject == x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "M-3")])
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def _tampered() -> bytes:
    der = bytearray(x509.load_pem_x509_csr(_request("M-4", _ec_key())).public_bytes(Encoding.DER))
    der[-1] ^= 1
    return bytes(der)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (lambda: b"nonsense", "cannot be read"),
        (lambda: b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "cannot be read"),
        (lambda: _request("M-5", _ec_key()), "has to be M-4"),
        (lambda: _request("M-4", _ec_key(ec.SECP192R1())), "too weak"),
        (lambda: _request("M-4", rsa.generate_private_key(65537, 1024)), "too weak"),  # noqa: S505  that is the point
        (_tampered, "request is not signed|cannot be read"),
    ],
)
def test_a_request_that_is_not_in_order_is_refused(authority: Authority, request_: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        authority.sign_request("M-4", request_())
    assert authority.entries() == []


def test_secrets_are_closed_to_others(authority: Authority) -> None:
    authority.issue("M-1")
    authority.revoke("M-1")
    open_to_others = {path.name for path in authority.folder.iterdir() if path.stat().st_mode & 0o077}
    assert open_to_others == {"ca.crt", "revoked.crl"}
    assert authority.folder.stat().st_mode & 0o077 == 0


def test_a_second_authority_never_replaces_the_first(authority: Authority) -> None:
    key = (authority.folder / "ca.key").read_bytes()
    with pytest.raises(UserError, match="already holds"):
        Authority.create(authority.folder)
    assert (authority.folder / "ca.key").read_bytes() == key


def test_an_authority_that_is_absent_or_broken_is_one_reason(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="certificates init"):
        Authority(tmp_path / "absent")
    other = Authority.create(tmp_path / "other")
    (authority.folder / "ca.key").write_bytes((other.folder / "ca.key").read_bytes())
    with pytest.raises(UserError, match="do not belong together"):
        Authority(authority.folder)
    (authority.folder / "ca.crt").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="cannot be read"):
        Authority(authority.folder)


def _revoked(authority: Authority) -> set[int]:
    return {entry.serial_number for entry in x509.load_pem_x509_crl(authority.revocations_file.read_bytes())}


def test_the_list_names_all_that_is_revoked_and_nothing_else(authority: Authority) -> None:
    first, second, other = (_read(authority.issue(name)[0]) for name in ("M-1", "M-1", "M-2"))
    assert _revoked(authority) == set()
    assert authority.revoke("M-1") == 2
    assert _revoked(authority) == {first.serial_number, second.serial_number}
    third = _read(authority.issue("M-1")[0])
    assert authority.revoke("M-1") == 1
    assert authority.revoke("M-1") == 0
    assert _revoked(authority) == {first.serial_number, second.serial_number, third.serial_number}
    assert other.serial_number not in _revoked(authority)
    with pytest.raises(UserError, match="no certificate was ever issued"):
        authority.revoke("M-9")


def test_a_certificate_that_has_ended_leaves_the_list(authority: Authority) -> None:
    authority.issue("M-1", 0)
    standing = _read(authority.issue("M-1")[0])
    assert authority.revoke("M-1") == 2
    assert _revoked(authority) == {standing.serial_number}


def test_a_later_list_is_later_and_none_runs_out_before_the_authority(authority: Authority) -> None:
    dates, numbers = [], []
    for n in range(3):
        authority.issue(f"M-{n}")
        authority.revoke(f"M-{n}")
        read = x509.load_pem_x509_crl(authority.revocations_file.read_bytes())
        assert read.next_update_utc == authority.certificate.not_valid_after_utc
        assert read.is_signature_valid(authority.public_key)
        dates.append(read.last_update_utc)
        numbers.append(read.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
    assert dates == sorted(set(dates))
    assert numbers == [2, 3, 4]
    assert dates[-1] < datetime.datetime.now(datetime.UTC)


def test_a_lost_list_and_a_torn_line_are_survived(authority: Authority) -> None:
    gone = _read(authority.issue("M-1")[0])
    authority.revoke("M-1")
    with (authority.folder / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b'\n{"event": "issued", "ser')
    authority.revocations_file.unlink()
    again = Authority(authority.folder)
    kept = _read(again.issue("M-2")[0])
    again.revoke("M-1")
    assert _revoked(again) == {gone.serial_number}
    assert [(entry.account, entry.serial) for entry in again.entries()] == [("M-1", gone.serial_number), ("M-2", kept.serial_number)]


def _run(*arguments: str, cwd: Path, language: str = "C") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": language, "PYTHONUTF8": "1", "COLUMNS": "200", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("command", ["", "init", "issue", "revoke", "list"])
def test_every_command_explains_itself_in_both_languages(command: str, tmp_path: Path) -> None:
    done = _run("certificates", *command.split(), "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "·" in done.stdout
    assert any("\u4e00" <= character <= "\u9fff" for character in done.stdout)


def test_the_life_of_a_certificate_at_the_terminal(tmp_path: Path) -> None:
    assert _run("certificates", "init", cwd=tmp_path).stdout.strip().endswith("authority/ca.crt")
    issued = _run("certificates", "issue", "M-1", "--out", "given", "--days", "30", cwd=tmp_path)
    assert issued.stdout.split() == ["given/M-1.crt", "given/M-1.key", "given/ca.crt"]
    assert (tmp_path / "given" / "M-1.key").stat().st_mode & 0o777 == 0o600
    client_context(tmp_path / "given" / "ca.crt", tmp_path / "given" / "M-1.crt", tmp_path / "given" / "M-1.key")

    (tmp_path / "M-2.csr").write_bytes(_request("M-2", _ec_key()))
    signed = _run("certificates", "issue", "M-2", "--csr", "M-2.csr", "--out", "given", cwd=tmp_path)
    assert signed.stdout.split() == ["given/M-2.crt", "given/ca.crt"]

    rows = [line.split("\t") for line in _run("certificates", "list", cwd=tmp_path).stdout.splitlines()]
    assert [(row[0], row[3]) for row in rows] == [("M-1", "valid"), ("M-2", "valid")]
    soon = _run("certificates", "list", "--ending", "60", cwd=tmp_path).stdout.splitlines()
    assert [line.split("\t")[0] for line in soon] == ["M-1"]
    assert "1 certificate(s) revoked" in _run("certificates", "revoke", "M-1", cwd=tmp_path).stderr
    rows = [line.split("\t") for line in _run("certificates", "list", cwd=tmp_path).stdout.splitlines()]
    assert [(row[0], row[3]) for row in rows] == [("M-1", "revoked"), ("M-2", "valid")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["issue", "M-1", "--authority", "absent"], "certificates init"),
        (["issue", "line"], "kept for the platform"),
        (["issue", "a b"], "is no account"),
        (["issue", "M-1", "--out", "taken"], "already there"),
        (["issue", "M-1", "--csr", "absent.csr"], "absent.csr cannot be read"),
        (["issue", "M-1", "--out", "file/below"], "cannot be read or written"),
        (["revoke", "M-9"], "no certificate was ever issued for M-9"),
        (["init"], "already holds"),
        (["list", "--authority", "absent"], "certificates init"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    Authority.create(tmp_path / ".data" / "authority")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "M-1.key").write_text("the only copy", encoding="utf-8")
    (tmp_path / "file").touch()
    done = _run("certificates", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("cannot go on: ") and says in line]
    assert (tmp_path / "taken" / "M-1.key").read_text(encoding="utf-8") == "the only copy"
    assert Authority(tmp_path / ".data" / "authority").entries() == []
    assert _run("certificates", *arguments, cwd=tmp_path, language="zh_CN.UTF-8").stderr.startswith("无法继续：")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    folder = reachable_folder(tmp_path) / "data"
    yield folder
    remove_folder(folder)


def test_up_opens_the_door_when_asked_and_shows_out_whom_the_command_revokes(place: Path, tmp_path: Path) -> None:
    assert _run("certificates", "init", cwd=tmp_path).returncode == 0
    assert _run("certificates", "issue", "M-1", "--out", "given", cwd=tmp_path).returncode == 0
    options = ["--data", str(place), "--http-port", "0", "--mqtt-port", "0", "--mqtt-tls-port", "0", "--mqtt-tls-name", "broker.invalid"]
    up = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "up", "--json", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert up.stdout is not None
        ready, _, _ = select.select([up.stdout], [], [], PATIENCE)
        line = json.loads(up.stdout.readline() if ready else "{}")
        door = line["tls"]
        given = tmp_path / "given"
        assert Path(door["ca"]).read_bytes() == (given / "ca.crt").read_bytes()
        context = client_context(given / "ca.crt", given / "M-1.crt", given / "M-1.key")
        assert connect_code(door["host"], door["port"], tls=context) == ACCEPTED
        shown = x509.load_pem_x509_certificate(ssl.get_server_certificate((door["host"], door["port"])).encode())
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert "broker.invalid" in names.get_values_for_type(x509.DNSName)

        assert _run("certificates", "revoke", "M-1", cwd=tmp_path).returncode == 0
        deadline = time.monotonic() + PATIENCE
        while connect_code(door["host"], door["port"], tls=context) == ACCEPTED:
            assert time.monotonic() < deadline
    finally:
        up.send_signal(signal.SIGTERM)
        _, said = up.communicate(timeout=PATIENCE)
    assert up.returncode == 0
    assert "the certificate of M-1 is revoked" in said


def test_up_says_what_to_do_when_there_is_no_authority(place: Path, tmp_path: Path) -> None:
    done = _run("up", "--data", str(place), "--mqtt-tls-port", "0", "--http-port", "0", "--mqtt-port", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert "certificates init" in done.stderr
    assert "Traceback" not in done.stderr
