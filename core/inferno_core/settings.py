"""Every setting of the platform, with its purpose, unit and off-value. Only a process' root reads them.

The environment names them `INFERNO_GROUP__NAME` (`INFERNO_KAFKA__BOOTSTRAP_SERVERS`); docs/settings.md is made from
this module. The defaults run the embedded stack, which fills in addresses and secrets for its processes.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _split(value: object) -> object:
    """Take a tuple apart that the environment has as one text."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class KafkaSettings(_Group):
    """The token log."""

    bootstrap_servers: str = Field(
        default="", description="Brokers as `host:port`, comma-separated. Empty: the stack starts one."
    )
    queue_topic: str = Field(default="inferno-queue", description="Topic that holds the life of requests.")
    reply_topic: str = Field(default="inferno-response-queue", description="Topic that holds the words.")
    queue_partitions: int = Field(
        default=8, ge=1, description="Partitions of the queue topic, when it is made: the most workers that share it."
    )
    reply_partitions: int = Field(
        default=8,
        ge=1,
        description="Partitions of the reply topic, when it is made: best one or more for each API replica.",
    )
    replication_factor: int = Field(
        default=1, ge=1, description="Copies of each partition, when topics are made. Use 3 in production."
    )
    retention_hours: int = Field(
        default=24,
        ge=2,
        description="How long both topics keep records, in hours: the window in which a client can resume.",
    )
    session_timeout_ms: int = Field(
        default=1000,
        ge=300,
        description="After this long without a heartbeat, in ms, a worker's partitions go to another.",
    )


class PostgresSettings(_Group):
    """The database of organisations, projects and keys."""

    dsn: SecretStr = Field(
        default=SecretStr(""),
        description="Address of database `users`, as `postgresql://…`. Empty: the stack starts a server.",
    )
    pool_size: int = Field(default=4, ge=1, description="The most connections of one process.")


class RedisSettings(_Group):
    """Hints and presence: what may be lost."""

    url: SecretStr = Field(
        default=SecretStr(""), description="Address as `redis://…` or `unix://…`. Empty: the stack starts a server."
    )


class TritonSettings(_Group):
    """The engine hosts."""

    urls: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="gRPC addresses of Tritons, `host:port`, comma-separated. Empty: the stack starts them.",
    )
    timeout_s: float = Field(default=5.0, gt=0, description="How long a unary call to Triton may take, in seconds.")

    @field_validator("urls", mode="before")
    @classmethod
    def _split_urls(cls, value: object) -> object:
        return _split(value)


class ApiSettings(_Group):
    """The HTTP edge."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on. 0: a free one.")
    reply_partition: int = Field(
        default=-1, ge=-1, description="Reply partition that this replica tails. -1: chosen by the replica's name."
    )
    max_body_bytes: int = Field(
        default=16 << 20, ge=1024, description="The largest request body that is read, in bytes."
    )
    max_open: int = Field(
        default=4096, ge=1, description="Open generations of this process, beyond which new ones get 503."
    )
    max_waiting: int = Field(
        default=1024, ge=1, description="Requests of this process that wait for an engine, beyond which others get 503."
    )
    max_waiting_per_key: int = Field(
        default=256, ge=1, description="Requests of one key that wait for an engine here, beyond which others get 429."
    )
    max_connections: int = Field(default=8192, ge=1, description="Open connections, beyond which others get 503.")
    header_timeout_s: float = Field(
        default=10.0, gt=0, description="How long a request's headers may take to arrive, in seconds."
    )
    slow_reader_bytes: int = Field(
        default=1 << 20, ge=1 << 14, description="Words that may wait for one slow reader, in bytes; then it is cut."
    )
    slow_reader_s: float = Field(
        default=20.0, gt=0, description="A reader that takes nothing for this long, in seconds, is cut."
    )
    canary_every_s: float = Field(
        default=10.0, ge=0, description="After this long without an answer, in seconds, one is asked for. 0: never."
    )
    canary_limit_s: float = Field(
        default=60.0, gt=0, description="`/readyz` says not ready when the last answer is older than this, in seconds."
    )
    operator_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Networks besides loopback that may read `/metrics`, as CIDR, comma-separated."
    )

    @field_validator("operator_networks", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        return _split(value)

    key_cache_s: float = Field(
        default=30.0,
        ge=0,
        description="How long a checked key is believed without asking Postgres, in seconds. 0: never.",
    )
    keepalive_s: float = Field(
        default=15.0, gt=0, description="A stream that says nothing for this long, in seconds, gets a comment."
    )


class DeadlineSettings(_Group):
    """How long each phase of a generation may take."""

    queue_s: float = Field(default=300.0, gt=0, description="Until an engine takes it, in seconds.")
    first_token_s: float = Field(
        default=120.0, gt=0, description="From the engine's taking it to the first token, in seconds."
    )
    between_tokens_s: float = Field(default=60.0, gt=0, description="Between two tokens, in seconds.")
    whole_s: float = Field(default=3600.0, gt=0, description="From admission to the end, in seconds.")


class WorkerSettings(_Group):
    """The process that drives engines."""

    slots: int = Field(default=256, ge=1, description="Generations that one worker runs at once.")


class SyntheticSettings(_Group):
    """The engine that needs no model, as the embedded stack starts it."""

    step_ms: float = Field(default=20.0, ge=0, description="How long a step takes, in ms. 0: as fast as it goes.")
    slots: int = Field(default=64, ge=1, description="Generations that run at once; more wait in the engine.")
    context: int = Field(default=8192, ge=16, description="The longest prompt and answer together, in tokens.")
    faults: bool = Field(
        default=False,
        description="Whether a request may ask for a fault, by the field `synthetic_fault`. Meant for tests alone.",
    )


class AgentSettings(_Group):
    """The agent beside one Triton. The embedded stack fills these in."""

    host: str = Field(default="", description="Name under which the host is published. Empty: the process' name.")
    grpc: str = Field(default="127.0.0.1:8001", description="gRPC address of its Triton, as others reach it.")
    http: str = Field(default="127.0.0.1:8000", description="HTTP address of its Triton, as others reach it.")
    repository: Path = Field(
        default=Path(".inferno/triton-0/repository"),
        description="Triton's model repository, which the agent alone writes.",
    )
    desired: Path = Field(
        default=Path(".inferno/desired.json"), description="File that says which model versions are to serve."
    )
    state: Path = Field(
        default=Path(".inferno/agent-0"), description="Folder for what the agent remembers, such as load times."
    )
    load_timeout_s: float = Field(default=900.0, gt=0, description="How long a version may take to load, in seconds.")
    canary_timeout_s: float = Field(
        default=30.0, gt=0, description="How long a canary generation may take, in seconds."
    )
    canary_every_s: float = Field(
        default=5.0,
        gt=0,
        description="A version that answered nobody for this long, in seconds, is asked for a token.",
    )
    drain_s: float = Field(
        default=3600.0,
        ge=0,
        description="How long generations of a retired version may go on, in seconds; then its process is ended.",
    )
    metrics: str = Field(
        default="", description="Address of its Triton's metrics, for how busy each engine is. Empty: nobody tells."
    )
    kills_triton: bool = Field(
        default=False,
        description="Whether a Triton on this machine that serves nothing any more, because it hangs or can't load "
        "again what died in it, is killed. For where something starts it anew.",
    )


class TelemetrySettings(_Group):
    """Traces."""

    otlp_endpoint: str = Field(
        default="", description="Address of an OTLP collector over HTTP, `http://host:4318`. Empty: no traces are made."
    )
    sample_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Share of requests that are traced, where the caller does not decide."
    )


class SecretSettings(_Group):
    """Secrets that this platform's processes share."""

    id_key: SecretStr = Field(
        default=SecretStr(""),
        description="Signs generation ids. At least 32 characters; the same in every API process.",
    )
    key_pepper: SecretStr = Field(
        default=SecretStr(""),
        description="Keys the digest of API keys. At least 32 characters; changing it ends every key.",
    )


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(env_prefix="INFERNO_", env_nested_delimiter="__", frozen=True, extra="ignore")

    home: Path = Field(default=Path(".inferno"), description="Folder of the embedded stack: data, sockets, logs.")
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        description="Port of the embedded stack's first API process. 0: a free one, chosen once.",
    )
    name: str = Field(default="", description="Name of this process, `api-0`. Empty: its kind and host name.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe records that are logged."
    )
    log_format: Literal["plain", "json"] = Field(
        default="plain", description="Form of log lines: `plain` for people, `json` for collectors."
    )
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port on which a process without HTTP serves `/metrics` and `/healthz`, on loopback. 0: none.",
    )
    kafka: KafkaSettings = KafkaSettings()
    postgres: PostgresSettings = PostgresSettings()
    redis: RedisSettings = RedisSettings()
    triton: TritonSettings = TritonSettings()
    api: ApiSettings = ApiSettings()
    deadlines: DeadlineSettings = DeadlineSettings()
    worker: WorkerSettings = WorkerSettings()
    agent: AgentSettings = AgentSettings()
    synthetic: SyntheticSettings = SyntheticSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    secrets: SecretSettings = SecretSettings()
