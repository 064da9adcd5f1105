"""The secrets of one stack: made at its first start, kept in its home folder, shown to its owner alone."""

import secrets
from pathlib import Path

from msgspec import Struct, field

from inferno_core import keys
from inferno_local.files import read_json, write_json


def _token() -> str:
    return secrets.token_urlsafe(32)


class Vault(Struct):
    """`secrets.json`. A field that a later version adds is made when it first reads the file."""

    id_key: str = field(default_factory=_token)
    key_pepper: str = field(default_factory=_token)
    postgres_password: str = field(default_factory=_token)
    users_password: str = field(default_factory=_token)
    redis_password: str = field(default_factory=_token)
    admin_email: str = "admin@inferno.local"
    admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    websocket_secret: str = field(default_factory=_token)
    api_key: str = field(default_factory=lambda: keys.issue().reveal())

    def __repr__(self) -> str:
        return "Vault(***)"


def unlock(path: Path) -> Vault:
    """The secrets in `path`; those that are missing are made and written."""
    known = read_json(path, Vault) or Vault()
    write_json(path, known)
    return known


class Credentials(Struct):
    """`credentials.json`: what a person or script needs to use the stack."""

    url: str
    api_urls: list[str]
    api_key: str
    admin_email: str
    admin_password: str
    websocket_secret: str


def credentials(vault: Vault, api_urls: list[str]) -> Credentials:
    """What `up` prints and writes."""
    return Credentials(
        url=api_urls[0],
        api_urls=api_urls,
        api_key=vault.api_key,
        admin_email=vault.admin_email,
        admin_password=vault.admin_password,
        websocket_secret=vault.websocket_secret,
    )
