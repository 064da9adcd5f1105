"""How one Triton is started: argv, environment and folders. Everything it writes stands below its run folder."""

import os
from pathlib import Path
from typing import NamedTuple

from inferno_engine import bundle, shared_memory
from inferno_engine.environment import Environment
from inferno_engine.interpreter import shared_library

_KEEPALIVE = {
    # A lost peer is noticed in about a second, on idle connections too.
    "grpc-keepalive-time": "1000",
    "grpc-keepalive-timeout": "1000",
    "grpc-keepalive-permit-without-calls": "1",
    "grpc-http2-max-pings-without-data": "0",
    # Clients ping as often as that; Triton must not take it for an attack.
    "grpc-http2-min-recv-ping-interval-without-data": "500",
    "grpc-http2-max-ping-strikes": "0",
}
_MEGABYTE = 1 << 20
_BACKENDS = "backends"
_TEMPORARY = "tmp"


class Ports(NamedTuple):
    """Ports on loopback."""

    grpc: int
    http: int
    metrics: int


class Command(NamedTuple):
    """What is to be executed, in which environment and folder."""

    argv: list[str]
    env: dict[str, str]
    cwd: Path


def repository(run_folder: Path) -> Path:
    """Give the model repository of the Triton in `run_folder`, which its agent fills."""
    return run_folder / "repository"


def prepare(environment: Environment, run_folder: Path) -> None:
    """Make `run_folder` ready for a new life of its Triton.

    Call it before each start, and never while that Triton runs: it removes what an earlier life left in shared memory,
    and puts the backends there anew. Raises SetupFailed.
    """
    shared_memory.clean(run_folder)
    repository(run_folder).mkdir(parents=True, exist_ok=True)
    for folder in (_TEMPORARY, "cache"):
        (run_folder / folder).mkdir(exist_ok=True)
    bundle.assemble(environment.site_packages, run_folder / _BACKENDS)


def command(environment: Environment, run_folder: Path, ports: Ports, name: str) -> Command:
    """Say how to start the Triton of `run_folder`; touches nothing. `name` is that of the process, for its logs.

    Raises SetupFailed.
    """
    run_folder = run_folder.resolve()
    server = bundle.server(environment.site_packages) / "bin" / "tritonserver"
    # The backend asks there whether its model is still in service.
    env = environ(environment, run_folder) | {"INFERNO_TRITON_HTTP": f"127.0.0.1:{ports.http}"}
    return Command([str(server), *_flags(run_folder, ports, name)], env, run_folder)


def _flags(run_folder: Path, ports: Ports, name: str) -> list[str]:
    flags = {
        "id": name,
        # Relative to the run folder: Triton passes both to a shell unquoted, and waits for ever if they hold a space.
        "model-repository": repository(Path()).name,
        "backend-directory": _BACKENDS,
        # Only the agent beside it loads models, by explicit calls.
        "model-control-mode": "explicit",
        "strict-readiness": "false",
        "exit-on-error": "false",
        "exit-timeout-secs": "5",
        "grpc-address": "127.0.0.1",
        "grpc-port": str(ports.grpc),
        "http-address": "127.0.0.1",
        "http-port": str(ports.http),
        "metrics-address": "127.0.0.1",
        "metrics-port": str(ports.metrics),
        "allow-gpu-metrics": "false",
        # A reading each second costs an idle stack more than Triton itself.
        "metrics-interval-ms": "10000",
        "cuda-memory-pool-byte-size": "0:0",
        "pinned-memory-pool-byte-size": "0",
        **_KEEPALIVE,
    }
    backend = {
        "shm-region-prefix-name": shared_memory.prefix(run_folder),
        "shm-default-byte-size": str(4 * _MEGABYTE),
        "shm-growth-byte-size": str(4 * _MEGABYTE),
        "stub-timeout-seconds": "30",
    }
    return [
        *(f"--{flag}={value}" for flag, value in flags.items()),
        *(f"--backend-config=python,{key}={value}" for key, value in backend.items()),
    ]


def environ(environment: Environment, run_folder: Path) -> dict[str, str]:
    """Name what Triton and its stubs need, and nothing else of the caller's environment."""
    library = shared_library()
    kept = {key: os.environ[key] for key in ("HOME", "USER", "TZ", "LANG") if key in os.environ}
    return kept | {
        # The stub finds its packages through the first python3 on PATH.
        "PATH": f"{environment.bin}:/usr/local/bin:/usr/bin:/bin",
        "LD_LIBRARY_PATH": f"{environment.site_packages / 'nvidia_pytriton.libs'}:{library.parent}",
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
        "TMPDIR": str(run_folder / _TEMPORARY),
        # A socket's address holds 107 bytes. Relative to the run folder, in which all of vLLM's processes work, vLLM's
        # sockets fit whatever the folder's own length.
        "VLLM_RPC_BASE_PATH": _TEMPORARY,
        "XDG_CACHE_HOME": str(run_folder / "cache"),
        "VLLM_CACHE_ROOT": str(run_folder / "cache" / "vllm"),
        "VLLM_CONFIG_ROOT": str(run_folder / "cache" / "vllm-config"),
        "HF_HOME": str(run_folder / "cache" / "huggingface"),
        # Nothing that is served comes from a network, and nobody is told of its use.
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
    }
