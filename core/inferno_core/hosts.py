"""What an engine host tells of itself: the agent beside each Triton reports it, the API and the workers read it."""

from enum import StrEnum

from msgspec import Struct


class ModelState(StrEnum):
    """Where a version stands on its way to serving."""

    VERIFYING = "verifying"
    LOADING = "loading"
    PROVING = "proving"
    READY = "ready"
    FAILED = "failed"


class HostedModel(Struct, frozen=True):
    """One version of a model on one host.

    `context` is the longest prompt and answer together, in tokens; `slots` how many generations run at once;
    `fingerprint` names engine, weights and settings. `since` is Unix time in seconds; `expected_s` is how long loading
    took last time. `detail` is a sentence for people.
    """

    name: str
    version: str
    state: ModelState
    since: float
    expected_s: float = 0.0
    detail: str = ""
    context: int = 0
    slots: int = 0
    fingerprint: str = ""
    tasks: tuple[str, ...] = ("chat", "completion")
    default: bool = False


class Host(Struct, frozen=True):
    """An engine host: where its Triton is reached, which life of it this is, and what it serves."""

    name: str
    grpc: str
    http: str
    incarnation: str
    models: tuple[HostedModel, ...] = ()
