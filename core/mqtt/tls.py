"""What a client needs to speak TLS to the broker: whom it believes, and what it shows. Knows no MQTT."""

import ssl
from pathlib import Path

from core.errors import UserError


def client_context(
    authority: Path | str | None = None, certificate: Path | str | None = None, key: Path | str | None = None
) -> ssl.SSLContext:
    """A context for :class:`core.mqtt.link.Link`: TLS 1.2 or later, the broker's name and certificate always checked.

    ``authority`` is the file of the authority that vouches for the broker (None = those of the system). ``certificate`` and ``key``
    are our own, for a broker that asks for them. Raises UserError when a file cannot be used.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        files = ", ".join(str(path) for path in (authority, certificate, key) if path is not None)
        raise UserError(f"证书文件无法使用（{error}）：{files}", f"the certificate files cannot be used ({error}): {files}") from None
    return context
