"""API keys: how they look, how they are told apart without being kept, and what one allows.

    inf-PPPPPPPPPPPPSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSCCCCCC

The prefix P (71 bits) may be shown and is looked up; the secret part S (196 bits) is shown once; the checksum C refuses
slips of the pen without a look-up and lets scanners find leaked keys. The database holds the keyed digest of the whole.
"""

import hashlib
import hmac
import secrets
import string
import zlib
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Literal, NoReturn

from msgspec import Struct

from inferno_core.errors import Forbidden, InfernoError, Unauthenticated
from inferno_core.records import Tenant

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_MARK = "inf-"
_PREFIX_CHARS = 12
_SECRET_CHARS = 33
_CHECK_CHARS = 6
_CHARS = len(_MARK) + _PREFIX_CHARS + _SECRET_CHARS + _CHECK_CHARS


class Secret:
    """A text that is never shown by accident: it renders as `***`, and can't be pickled, copied or serialised."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # A table of secrets would compare them in variable time.

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A secret can't be serialised. Keep its digest instead.")


class KeyLimits(Struct, frozen=True):
    """What a key may use in a minute, and at once. None: no limit of its own."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None


class Key(Struct, frozen=True):
    """A key as the platform knows it: whose it is and what it allows.

    `models`, `endpoints` and `networks` (CIDR) are None where all are allowed. `store` and `retention_days` are the
    project's: what is kept of its requests and for how long (None: for ever).
    """

    tenant: Tenant
    prefix: str
    models: tuple[str, ...] | None = None
    endpoints: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    limits: KeyLimits = KeyLimits()
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    store: Literal["none", "metadata", "full"] = "none"
    retention_days: int | None = None

    def check(self, *, now: datetime, address: str, endpoint: str) -> None:
        """Refuse a use of this key from `address` at `endpoint` that it doesn't allow.

        Raises:
            Unauthenticated: the key has expired or was revoked.
            Forbidden: it is not for this network or endpoint.

        """
        error = self._ended(now) or self._misplaced(address, endpoint)
        if error is not None:
            raise error

    def allows_model(self, name: str) -> bool:
        """Tell whether the key may call model `name`."""
        return self.models is None or name in self.models

    def _ended(self, now: datetime) -> InfernoError | None:
        if self.revoked_at is not None and self.revoked_at <= now:
            return Unauthenticated(f"The API key {self.prefix}… was revoked. Use another one.")
        if self.expires_at is not None and self.expires_at <= now:
            return Unauthenticated(f"The API key {self.prefix}… expired at {self.expires_at}. Use another one.")
        return None

    def _misplaced(self, address: str, endpoint: str) -> InfernoError | None:
        if self.networks is not None and not _within(address, self.networks):
            return Forbidden(f"The API key {self.prefix}… may not be used from {address}: it is bound to networks.")
        if self.endpoints is not None and endpoint not in self.endpoints:
            allowed = ", ".join(self.endpoints) or "none"
            return Forbidden(f"The API key {self.prefix}… may not call {endpoint}; it may call: {allowed}.")
        return None


def issue() -> Secret:
    """Make a new key from the system's randomness."""
    body = _MARK + "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_CHARS + _SECRET_CHARS))
    return Secret(body + _checksum(body))


def parse(text: str) -> Secret | None:
    """Read a key that a client sent; None if it can't be one of ours."""
    if len(text) != _CHARS or not text.startswith(_MARK) or not text.isascii():
        return None
    body, check = text[:-_CHECK_CHARS], text[-_CHECK_CHARS:]
    return Secret(text) if check == _checksum(body) else None


def prefix(secret: Secret) -> str:
    """Give the part of a key that may be shown and by which it is looked up."""
    return secret.reveal()[: len(_MARK) + _PREFIX_CHARS]


def digest(secret: Secret, pepper: bytes) -> bytes:
    """Digest the whole key with HMAC-SHA256 under the platform's pepper: what databases and caches hold."""
    return hmac.digest(pepper, secret.reveal().encode(), hashlib.sha256)


def _checksum(body: str) -> str:
    value, chars = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_CHARS):
        value, rest = divmod(value, len(_ALPHABET))
        chars += _ALPHABET[rest]
    return chars


def _within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in ip_network(network) for network in networks)
