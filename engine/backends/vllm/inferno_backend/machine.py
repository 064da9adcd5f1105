"""What an engine takes from the machine it is on where its arguments leave it open: threads, allocator, KV cache.

Before vLLM is imported, since vLLM, torch and OpenMP read the environment once. Allocator and threads take hold in the
engine's own processes, which are spawned with it. `inferno engine tune` finds what serves best.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENVIRONMENT = "environment"
_NAME = re.compile(r"(OMP|GOMP|KMP|MALLOC|TCMALLOC|VLLM|TORCH|TORCHINDUCTOR|TORCHDYNAMO|ATEN|DNNL|ONEDNN|MKL)_\w+")
_NAMES = frozenset({"LD_PRELOAD", "MALLOC_CONF", "TORCHDYNAMO_DISABLE"})
_FEW_CORES = 2
_MEGABYTE = 1 << 20
_LEAST_BYTES = 256 * _MEGABYTE
_MOST_BYTES = 4096 * _MEGABYTE
# What vLLM's processes take beside weights and KV cache: code, activations, grammars.
_OWN_BYTES = 2048 * _MEGABYTE
# A KV cache that took all would leave none for pages of files, nor for a second version that is to be loaded.
_SHARE = 0.5


def settle(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Set the environment of the engine's processes, and give the arguments that are vLLM's.

    `arguments` may hold `environment`: variables by name, which stand above those of this process. Raises ValueError
    for what is none.
    """
    rest = dict(arguments)
    os.environ.update(_checked(rest.pop(ENVIRONMENT, {})))
    for name, value in defaults(rest, len(os.sched_getaffinity(0))).items():
        os.environ.setdefault(name, value)
    return rest


def defaults(arguments: Mapping[str, Any], cores: int) -> dict[str, str]:
    """Give the environment that an engine with `arguments` has on `cores` cores where nobody says otherwise."""
    chosen = {
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        # Where one process does all the work, it is the engine's core itself: a process and 2 GB less.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        # The stub's own logging stays as it is.
        "VLLM_LOGGING_LEVEL": "WARNING",
        "OMP_NUM_THREADS": str(threads(cores)),
    }
    if arguments.get("enforce_eager"):
        # vLLM compiles some functions even so, such as that of log-probabilities: half a minute at their first use.
        chosen["TORCHDYNAMO_DISABLE"] = "1"
    return chosen


def threads(cores: int) -> int:
    """Say how many threads compute. They meet several times a layer, and wait for whichever has no core: so one core is
    left to everyone else, but of two cores that would cost more than it saves (docs/performance.md).
    """
    return cores if cores <= _FEW_CORES else cores - 1


def kv_cache_bytes(weights: Path, available_bytes: int | None = None) -> int:
    """Say how large the KV cache may be that nobody gave a size: half of what is left beside the weights, in bounds.

    `available_bytes` is what memory is free (None: asked of the system). Weights count twice, as those of 16 bits do
    that run in 32.
    """
    free = available_memory_bytes() if available_bytes is None else available_bytes
    left = free - 2 * _size_bytes(weights) - _OWN_BYTES
    return min(_MOST_BYTES, max(_LEAST_BYTES, int(left * _SHARE) // _MEGABYTE * _MEGABYTE))


def available_memory_bytes(root: Path = Path("/")) -> int:
    """Say how much memory is free: what the kernel can give, or what is left of the control group's limit if less."""
    lines = (root / "proc/meminfo").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    group = root / "sys/fs/cgroup"
    limit, used = _number(group / "memory.max"), _number(group / "memory.current")
    if limit is None or used is None:
        return kilobytes * 1024
    return min(kilobytes * 1024, max(0, limit - used))


def _checked(environment: Any) -> dict[str, str]:
    if not isinstance(environment, Mapping):
        raise ValueError(f"model.json: {ENVIRONMENT} must be an object of names and values.")
    for name, value in environment.items():
        if name not in _NAMES and not _NAME.fullmatch(name):
            raise ValueError(f"model.json: {ENVIRONMENT} may not set {name}; it is for threads, allocator and vLLM.")
        if not isinstance(value, str):
            raise ValueError(f"model.json: {ENVIRONMENT}.{name} is {value!r}; write it as a string.")
    return dict(environment)


def _size_bytes(weights: Path) -> int:
    return sum(file.stat().st_size for file in weights.glob("*.safetensors"))


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        # No control group of this kind, or `max`, which is no limit.
        return None
