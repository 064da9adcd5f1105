"""The id of a generation is its address in the log (rule 1): any replica finds its words from the id alone.

It says which log, which request partition, up to where its admitting replica knew that partition, which reply
partition, and from which offset on its words can lie there; then randomness, and a MAC over all of it and the tenant,
so that an id can be neither guessed nor used by anyone but its owner.
"""

import hashlib
import hmac
import secrets
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode

from msgspec import Struct

from inferno_core.errors import NotFound
from inferno_core.records import Surface, Tenant

PREFIXES: dict[Surface, str] = {"chat": "chatcmpl-", "completion": "cmpl-", "embedding": "embd-"}

_LAYOUT = struct.Struct(">B4sBHQHQ8s")
"""version, incarnation, queue topic, p, known offset, r, reply offset, randomness"""

_VERSION = 1
_MAC_BYTES = 14
_TEXT_CHARS = (_LAYOUT.size + _MAC_BYTES) // 3 * 4


class Address(Struct, frozen=True):
    """Where a generation lives.

    `known` is the offset up to which the admitting replica knew partition `p` of queue topic number `topic`;
    `reply_from` the offset in reply partition `r` below which no record of the generation lies.
    """

    incarnation: bytes
    topic: int
    p: int
    known: int
    r: int
    reply_from: int


def incarnation_of(queue_topic_id: str, reply_topic_id: str) -> bytes:
    """Digest both topics' Kafka ids into the four bytes that tell this log from one that is gone."""
    return hashlib.sha256(f"{queue_topic_id} {reply_topic_id}".encode()).digest()[:4]


def issue(address: Address, surface: Surface, tenant: Tenant, secret: bytes) -> str:
    """Make a new id at `address`, which only `tenant` can use."""
    body = _LAYOUT.pack(
        _VERSION,
        address.incarnation,
        address.topic,
        address.p,
        address.known,
        address.r,
        address.reply_from,
        secrets.token_bytes(8),
    )
    prefix = PREFIXES[surface]
    return prefix + urlsafe_b64encode(body + _mac(prefix, body, tenant, secret)).decode()


def read(id: str, tenant: Tenant, secret: bytes) -> Address:
    """Give the address in an id of `tenant`'s.

    Raises:
        NotFound: for a malformed, forged or foreign id alike, in the same time.

    """
    prefix, body, mac = _split(id)
    if not hmac.compare_digest(mac, _mac(prefix, body, tenant, secret)) or body[0] != _VERSION:
        raise NotFound(f"There is no generation {id[:100]!r}.")
    return _address(body)


def locate(id: str) -> Address:
    """Give the address in an id that came from the log itself, whose MAC was checked at admission."""
    return _address(_split(id)[1])


def _address(body: bytes) -> Address:
    _, incarnation, topic, p, known, r, reply_from, _ = _LAYOUT.unpack(body)
    return Address(incarnation=incarnation, topic=topic, p=p, known=known, r=r, reply_from=reply_from)


def _split(id: str) -> tuple[str, bytes, bytes]:
    """Split an id into prefix, body and MAC; what is no id at all becomes zeros, which no MAC fits."""
    name, dash, text = id.partition("-")
    try:
        data = urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        data = b""
    if len(text) != _TEXT_CHARS or len(data) != _LAYOUT.size + _MAC_BYTES:
        data = bytes(_LAYOUT.size + _MAC_BYTES)
    return name + dash, data[: _LAYOUT.size], data[_LAYOUT.size :]


def _mac(prefix: str, body: bytes, tenant: Tenant, secret: bytes) -> bytes:
    owner = f"{prefix} {tenant.organisation} {tenant.project}".encode()
    return hmac.new(secret, body + owner, hashlib.sha256).digest()[:_MAC_BYTES]
