"""The second door: with TLS the pages may be reached from elsewhere, by the names of the certificate; without it never."""

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from console.__main__ import serve
from console.doorway import OWN_NAMES, names_of
from console.settings import ConsoleSettings
from tests.console.stage import Served


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for gas.example.cn, *.field.example.cn and 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gas.example.cn")])
    names = [x509.DNSName("gas.example.cn"), x509.DNSName("*.field.example.cn"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return tmp_path / "cert.pem", tmp_path / "key.pem"


@pytest.fixture
def secure(start_console: Callable[..., Served], pair: tuple[Path, Path]) -> Iterator[tuple[Served, httpx.Client]]:
    """A console with both doors, and a client at the one with TLS."""
    certificate, key = pair
    console = start_console(tls_cert=certificate, tls_key=key, https_port=0, demo_link="the-demo-link", http_names="desk.example.cn")
    port = console.server.servers[1].sockets[0].getsockname()[1]
    context = ssl.create_default_context(cafile=str(certificate))
    with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=context, timeout=90, trust_env=False) as client:
        yield console, client


def test_the_cookie_of_the_secure_door_is_bound_to_it(secure: tuple[Served, httpx.Client]) -> None:
    console, client = secure
    response = client.post("/api/v1/session/link", json={"token": "the-demo-link"})
    assert response.status_code == 200, response.text
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-gs_session=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert response.headers["strict-transport-security"].startswith("max-age=")
    assert client.get("/api/v1/incidents").status_code == 200
    plain = console.anybody()
    plain.cookies.set("gs_session", client.cookies["__Host-gs_session"])
    assert "strict-transport-security" not in plain.get("/api/v1/session").headers
    planted = httpx.Client(base_url=client.base_url, verify=False, trust_env=False)  # noqa: S501  what is looked at is the cookie
    planted.cookies.set("gs_session", client.cookies["__Host-gs_session"])
    assert planted.get("/api/v1/session").status_code == 401, "a plain page may have set that one"
    planted.close()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("gas.example.cn", 200),
        ("gas.example.cn:8443", 200),
        ("GAS.example.CN", 200),
        ("north.field.example.cn", 200),
        ("desk.example.cn", 200),
        ("field.example.cn", 421),
        ("a.b.field.example.cn", 421),
        ("evil.example", 421),
    ],
)
def test_it_answers_to_its_own_names_only(secure: tuple[Served, httpx.Client], host: str, status: int) -> None:
    console, client = secure
    assert client.get("/openapi.json", headers={"Host": host}).status_code == status
    assert console.anybody().get("/openapi.json", headers={"Host": host}).status_code == 421, "without TLS there is but this machine"


def test_without_tls_the_names_are_this_machines() -> None:
    assert names_of(ConsoleSettings(http_names="gas.example.cn")) == OWN_NAMES


@pytest.mark.parametrize("settings", [{"tls_cert": "a"}, {"tls_key": "a"}])
def test_certificate_and_key_go_together(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="go together"):
        ConsoleSettings.model_validate(settings)


def test_a_certificate_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("not a certificate", encoding="utf-8")
    with pytest.raises((OSError, ValueError)):
        serve(ConsoleSettings(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem"))
