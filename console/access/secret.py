"""Secrets that we hand out: session cookies, API tokens, links. Only their hashes are kept; each is 256 bits from the system's source."""

import hashlib
import hmac
import secrets
from typing import Final

TOKEN_PREFIX: Final = "gs_"  # noqa: S105  the beginning by which a leaked token is found, not a token
_BYTES: Final = 32


def new_secret(prefix: str = "") -> str:
    """A secret that can stand in a URL, a cookie or a header."""
    return prefix + secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> bytes:
    """What is stored of a secret, 32 bytes. A fast hash is enough: nobody guesses 256 bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def csrf_of(cookie: str) -> str:
    """What a page must send beside its session cookie to change anything; a foreign page can read neither."""
    return hmac.new(cookie.encode("utf-8", "surrogateescape"), b"csrf", hashlib.sha256).hexdigest()


def same(found: str, wanted: str) -> bool:
    """Compared in constant time. An empty ``wanted`` is never the same."""
    return bool(wanted) and hmac.compare_digest(digest(found), digest(wanted))
