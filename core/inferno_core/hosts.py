"""What an engine host tells of itself: the agent beside each Triton reports it, the API and the workers read it."""

from enum import StrEnum

from msgspec import Struct


class ModelState(StrEnum):
    """Where a version stands on its way to serving, and out of it: one that retires says what runs there to its end,
    and takes nothing new.
    """

    VERIFYING = "verifying"
    LOADING = "loading"
    PROVING = "proving"
    READY = "ready"
    FAILED = "failed"
    RETIRING = "retiring"


class HostedModel(Struct, frozen=True):
    """One version of a model on one host.

    `context` is the longest prompt and answer together, in tokens; `slots` how many generations run at once;
    `fingerprint` names engine, weights and settings. `since` is Unix time in seconds; `expected_s` is how long loading
    took last time. `detail` is a sentence for people. `life` names this life of its engine: with
    another name, all that it had in hand is lost. `running` and `waiting` count generations in the engine,
    `kv_cache_usage` is a share of 1; all three are 0 where that doesn't tell. `modalities` is what it reads: `text`,
    `image`. `adapters` names its LoRA adapters: a request may pick one by `lora_name`.
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
    life: str = ""
    running: int = 0
    waiting: int = 0
    kv_cache_usage: float = 0.0
    modalities: tuple[str, ...] = ("text",)
    adapters: tuple[str, ...] = ()


class Host(Struct, frozen=True):
    """An engine host: where its Triton is reached, which life of it this is, what it serves, and its machine.

    `cores`, `memory_bytes` and `memory_available_bytes` are those of the machine or container; 0 if nobody tells.
    """

    name: str
    grpc: str
    http: str
    incarnation: str
    models: tuple[HostedModel, ...] = ()
    cores: int = 0
    memory_bytes: int = 0
    memory_available_bytes: int = 0
