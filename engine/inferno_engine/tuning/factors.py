"""The settings that are tried, in order: what each is, and its values on a machine.

Those that change the most come first, so that later ones are judged where they will be used. docs/performance.md
has the table of what they came to on one machine.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from inferno_engine.tuning.settings import Change, Settings

_LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")
_MEGABYTE = 1 << 20


class Machine(NamedTuple):
    """What values depend on: cores, the memory that is free, and the libraries that can be preloaded, by name."""

    cores: int
    available_bytes: int
    libraries: Mapping[str, Path]


class Factor(NamedTuple):
    """One setting: its values are changes to the settings so far, by what a table calls them."""

    name: str
    what: str
    values: Callable[[Machine, Settings], Mapping[str, Change]]
    quick: bool = False


def libraries(environment_root: Path) -> Mapping[str, Path]:
    """Find allocators and OpenMP runtimes that an engine's process can have preloaded."""
    wanted = {
        "tcmalloc": "libtcmalloc_minimal.so.4",
        "jemalloc": "libjemalloc.so.2",
        "mimalloc": "libmimalloc.so.2",
        "Intel OpenMP": "libiomp5.so",
    }
    folders = [environment_root / "lib", *map(Path, _LIBRARIES)]
    found = {name: [folder / file for folder in folders if (folder / file).is_file()] for name, file in wanted.items()}
    return {name: places[0] for name, places in found.items() if places}


def _threads(machine: Machine, _: Settings) -> Mapping[str, Change]:
    counts = sorted({1, max(1, machine.cores // 2), max(1, machine.cores - 1), machine.cores})
    usual: Mapping[str, Change] = {"as the backend has it": _environment(OMP_NUM_THREADS=None)}
    return {**usual, **{str(count): _environment(OMP_NUM_THREADS=str(count)) for count in counts}}


def _binding(machine: Machine, _: Settings) -> Mapping[str, Change]:
    cores = f"0-{machine.cores - 1}"
    return {
        "free": _environment(OMP_PROC_BIND=None, OMP_PLACES=None),
        "a core a thread": _environment(OMP_PROC_BIND="close", OMP_PLACES="cores"),
        # vLLM binds only a worker that is a process apart from its core.
        "worker apart, bound by vLLM": _environment(
            VLLM_ENABLE_V1_MULTIPROCESSING="1", VLLM_CPU_OMP_THREADS_BIND=cores, OMP_NUM_THREADS=None
        ),
    }


def _waiting(_: Machine, __: Settings) -> Mapping[str, Change]:
    return {
        "spin as the runtime has it": _environment(OMP_WAIT_POLICY=None, GOMP_SPINCOUNT=None),
        "sleep at once": _environment(OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT=None),
        "spin shortly": _environment(OMP_WAIT_POLICY=None, GOMP_SPINCOUNT="10000"),
    }


def _dtype(_: Machine, __: Settings) -> Mapping[str, Change]:
    return {name: {"dtype": name} for name in ("float32", "bfloat16", "float16")}


def _compile(_: Machine, __: Settings) -> Mapping[str, Change]:
    return {"eager": {"enforce_eager": True}, "compiled": {"enforce_eager": False}}


def _block_size(_: Machine, __: Settings) -> Mapping[str, Change]:
    return {"128": {"block_size": None}} | {str(size): {"block_size": size} for size in (16, 32, 64)}


def _sequences(_: Machine, __: Settings) -> Mapping[str, Change]:
    return {str(count): {"max_num_seqs": count} for count in (16, 32, 64, 128)}


def _batched_tokens(_: Machine, __: Settings) -> Mapping[str, Change]:
    return {str(count): {"max_num_batched_tokens": count} for count in (512, 1024, 2048, 4096)}


def _prefix_cache(_: Machine, __: Settings) -> Mapping[str, Change]:
    return {"on": {"enable_prefix_caching": True}, "off": {"enable_prefix_caching": False}}


def _async_scheduling(_: Machine, __: Settings) -> Mapping[str, Change]:
    return {"as vLLM has it": {"async_scheduling": None}, "on": {"async_scheduling": True}}


def _allocator(machine: Machine, settings: Settings) -> Mapping[str, Change]:
    return _preloaded(machine, settings, "glibc", ("tcmalloc", "jemalloc", "mimalloc"))


def _openmp(machine: Machine, settings: Settings) -> Mapping[str, Change]:
    return _preloaded(machine, settings, "GNU", ("Intel OpenMP",))


def _preloaded(machine: Machine, settings: Settings, none: str, names: Sequence[str]) -> Mapping[str, Change]:
    """Give the choice between none of these libraries and each of those that are there, whatever else is preloaded."""
    mine = {name: str(machine.libraries[name]) for name in names if name in machine.libraries}
    preloaded = settings.environment.get("LD_PRELOAD", "").split(":")
    others = [path for path in preloaded if path and path not in mine.values()]
    chosen = {none: others} | {name: [path, *others] for name, path in mine.items()}
    return {name: _environment(LD_PRELOAD=":".join(paths) or None) for name, paths in chosen.items()}


def _kv_cache(machine: Machine, _: Settings) -> Mapping[str, Change]:
    sizes = [size for size in (256, 1024, 4096) if size * _MEGABYTE < machine.available_bytes // 2]
    return {f"{size} MB": {"kv_cache_memory_bytes": size * _MEGABYTE} for size in sizes}


def _environment(**variables: str | None) -> Change:
    return {"environment": variables}


FACTORS: Sequence[Factor] = (
    Factor("threads", "OpenMP threads of the engine", _threads, quick=True),
    Factor("dtype", "type in which the model computes", _dtype, quick=True),
    Factor("openmp", "the OpenMP runtime", _openmp),
    Factor("binding", "which core a thread is on", _binding),
    Factor("waiting", "what threads do between parallel regions", _waiting),
    Factor("compile", "compiled by torch, or eager", _compile),
    Factor("allocator", "who allocates memory", _allocator),
    Factor("block_size", "tokens in a block of the KV cache", _block_size),
    Factor("max_num_seqs", "generations that run at once", _sequences, quick=True),
    Factor("max_num_batched_tokens", "tokens of prompts and answers in a step", _batched_tokens),
    Factor("prefix_cache", "prompts that begin alike share their KV cache", _prefix_cache),
    Factor("async_scheduling", "a step is planned while the last one runs", _async_scheduling),
    Factor("kv_cache", "memory of the KV cache", _kv_cache),
)
