"""What a model check starts from: who takes part, what the clients do, and how much may go wrong."""

from enum import StrEnum

from msgspec import Struct, structs

from inferno_core import address
from inferno_core.acceptance import Acceptance, History
from inferno_core.address import Address
from inferno_core.ownership import Partition
from inferno_core.records import Cancel, Detach, QueueRecord, Request, Tenant

_TENANT = Tenant("organisation", "project", "key")


class Trouble(StrEnum):
    """What may go wrong. A scenario bounds how often."""

    ASSIGN = "assign"
    """The group gives the partition to a worker; a former owner is not told."""
    KILL = "kill"
    """A worker dies; what it sent may still land, or not."""
    COMMIT = "commit"
    """A worker sends a commit, which lands later, whatever became of its sender."""
    LOSE = "lose"
    """An engine dies, and the run of a request with it; later another one has room."""


class Rules(Struct, frozen=True):
    """The state machines under test. Mutants replace one of them."""

    partition: type[Partition] = Partition
    acceptance: type[Acceptance] = Acceptance
    history: type[History] = History


ENDLESS = 1_000_000_000
"""The length of an answer that only a client's word ends."""


class Scenario(Struct, frozen=True):
    """`workers` share one partition; `script` is what clients append to it, in order; every answer has `tokens` tokens.

    `bounds` says how often each trouble may strike. Acknowledgements arrive together with the append unless
    `late_acks`.
    """

    name: str
    workers: int
    script: tuple[QueueRecord, ...]
    tokens: int
    bounds: dict[Trouble, int]
    late_acks: bool = False


def request() -> Request:
    """Make a request whose admitting replica knew nothing of the partition."""
    place = Address(incarnation=b"log0", topic=0, p=0, known=0, r=0, reply_from=0)
    return Request(
        id=address.issue(place, "chat", _TENANT, b"model check"),
        surface="chat",
        body=b"",
        model="m",
        version="1",
        tenant=_TENANT,
        reader="reader",
        created_ms=0,
        seed=0,
    )


def repeated(first: Request) -> Request:
    """The same request, sent again because the fate of the first was unknown."""
    return structs.replace(first, again=True)


def hang_up(first: Request) -> Detach:
    """The request's only reader leaves."""
    return Detach(first.id, first.reader)


def cancel(first: Request) -> Cancel:
    """Its owner wants it to end."""
    return Cancel(first.id, "owner")
