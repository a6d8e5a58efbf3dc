"""How people and the platform's own helpers get into the console of a platform: links that are printed, a token, TLS.

Decides what is made anew at each start (all of it: nothing of it is on disk but in the line that ``up`` keeps while it runs). Refuses to
know users; those are the console's.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from core.errors import UserError
from deploy.embedded.processes import LOOPBACK


@dataclass(frozen=True, slots=True)
class WebTls:
    """The pages with TLS: a certificate chain and its key (PEM), where to listen, and names beside those of the certificate."""

    certificate: Path
    key: Path
    host: str = LOOPBACK
    port: int = 8443
    names: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises UserError where the two are no pair that a server can use."""
        import ssl

        for file in (self.certificate, self.key):
            if not file.is_file():
                raise UserError(f"文件 {file} 不存在：请检查 --tls", f"there is no file {file}: check --tls")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise UserError(
                f"--tls 的证书与私钥无法使用（{error}）：须为配对的 PEM 文件",
                f"the certificate and key of --tls cannot be used ({error}): they have to be a pair of PEM files",
            ) from None


@dataclass(frozen=True, slots=True)
class Doors:
    """What lets somebody in, of one start. ``setup`` is empty where there is a user, ``demo`` where this is no demonstration."""

    api_token: str
    setup: str = ""
    demo: str = ""

    def settings(self) -> dict[str, str]:
        """The console's environment variables."""
        return {
            "GAS_SENTINEL_PLATFORM_TOKEN": self.api_token,
            "GAS_SENTINEL_SETUP_LINK": self.setup,
            "GAS_SENTINEL_DEMO_LINK": self.demo,
        }

    def links(self, http: str) -> dict[str, str]:
        """``setup_link`` and ``demo_link``, those that there are. The secret stands behind #, so that no log ever has it."""
        found = {"setup_link": (self.setup, "setup"), "demo_link": (self.demo, "demo")}
        return {name: f"{http}/{page}#{secret}" for name, (secret, page) in found.items() if secret}


def new_doors(dsn: str, *, demo: bool) -> Doors:
    """Doors for a start on this database."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        used = connection.execute("SELECT FROM users LIMIT 1").fetchone() is not None
    return Doors(
        api_token=f"gs_{secrets.token_urlsafe(32)}",
        setup="" if used else secrets.token_urlsafe(32),
        demo=secrets.token_urlsafe(32) if demo else "",
    )


def tls_settings(tls: WebTls | None) -> Mapping[str, str]:
    """The console's environment variables for its door with TLS."""
    if tls is None:
        return {}
    return {
        "GAS_SENTINEL_TLS_CERT": str(tls.certificate.absolute()),
        "GAS_SENTINEL_TLS_KEY": str(tls.key.absolute()),
        "GAS_SENTINEL_HTTPS_HOST": tls.host,
        "GAS_SENTINEL_HTTPS_PORT": str(tls.port),
        "GAS_SENTINEL_HTTP_NAMES": ",".join(tls.names),
    }
