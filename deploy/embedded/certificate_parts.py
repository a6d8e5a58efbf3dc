"""The parts that certificates are made of: names, usages, dates. Pure values; knows no file and no key of ours."""

import datetime
import ipaddress
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


AUTHORITY_USAGE: Final = _usage(signs_certificates=True)
LEAF_USAGE: Final = _usage(signs_certificates=False)


def subject(name: str) -> x509.Name:
    """A name that is nothing but a common name; the broker reads the account from it. At most 64 characters."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def common_name(name: x509.Name) -> str:
    """The one common name of a subject; empty when there is none or more than one."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else ""


def read_request(request: bytes) -> x509.CertificateSigningRequest:
    """A certificate request in PEM or DER. Raises ValueError."""
    if b"-----BEGIN" in request:
        return x509.load_pem_x509_csr(request)
    return x509.load_der_x509_csr(request)


def server_names(names: list[str]) -> list[x509.GeneralName]:
    """Addresses as addresses, everything else as a host name."""
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def certificate_builder(
    name: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    begins: datetime.datetime,
    days: int,
    latest: datetime.datetime | None = None,
) -> x509.CertificateBuilder:
    """A certificate that begins then and ends ``days`` later, but not after ``latest``; nothing in it is signed yet."""
    ends = begins + datetime.timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends if latest is None else min(ends, latest))
    )
