"""What `inferno doctor` looks at: each check is a function that gives a finding with the way out."""

import platform
import resource
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import psutil

from inferno_core.errors import InfernoError
from inferno_core.settings import Settings
from inferno_engine import interpreter
from inferno_local import checkout, jars, java
from inferno_local.home import SOCKET_PATH_LIMIT, Home
from inferno_local.ports import Ports, holder, is_free

GB = 1 << 30
DISK_FRESH_GB = 9
DISK_INSTALLED_GB = 2
MEMORY_GB = 6
SHARED_MEMORY_BYTES = 64 << 20
OPEN_FILES = 4096
_HOME_SOCKET = ".s.PGSQL.5432"


class Finding(NamedTuple):
    """What a check found. `said` is a fact if all is well, else the way out."""

    what: str
    well: bool
    said: str


def python(settings: Settings) -> Finding:
    """Triton's stub links the interpreter's shared library, and has none for Python 3.13."""
    problem = interpreter.problem()
    return Finding("Python", problem is None, problem or f"{platform.python_version()} with its shared library")


def machine(settings: Settings) -> Finding:
    """The servers come as programs for one kind of machine."""
    kind = f"{sys.platform} {platform.machine()}"
    known = kind == "linux x86_64"
    return Finding("Machine", known, kind if known else f"{kind}: the servers are built for linux x86_64 alone")


def disk(settings: Settings) -> Finding:
    """The first start installs the engine."""
    installed = (checkout.ROOT / ".venv-vllm").exists()
    needed = DISK_INSTALLED_GB if installed else DISK_FRESH_GB
    free = shutil.disk_usage(checkout.ROOT).free / GB
    said = f"{free:.0f} GB free at {checkout.ROOT}"
    return Finding("Disk", free >= needed, said if free >= needed else f"{said}: {needed} GB are needed, free some")


def memory(settings: Settings) -> Finding:
    """A stack with the small model."""
    free = psutil.virtual_memory().available / GB
    said = f"{free:.1f} GB available"
    well = free >= MEMORY_GB
    return Finding(
        "Memory", well, said if well else f"{said}: the real model needs {MEMORY_GB}; `--engine synthetic` needs 1"
    )


def shared_memory(settings: Settings) -> Finding:
    """Triton and its stub pass tensors through it."""
    try:
        free = shutil.disk_usage("/dev/shm").free  # noqa: S108 - it is asked about, not written
    except OSError:
        return Finding("Shared memory", False, "it is missing: mount a tmpfs at /dev/shm")
    well = free >= SHARED_MEMORY_BYTES
    said = f"{free / GB:.1f} GB free in /dev/shm"
    return Finding("Shared memory", well, said if well else f"{said}: enlarge it, in Docker with --shm-size=1g")


def open_files(settings: Settings) -> Finding:
    """Each stream is an open file."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    well = soft >= OPEN_FILES
    return Finding("Open files", well, f"{soft} at once" if well else f"only {soft} at once: `ulimit -n 65536`")


def port(settings: Settings) -> Finding:
    """The first API process' port, unless the stack itself listens there."""
    home = Home.at(settings.home)
    asked = settings.port if "port" in settings.model_fields_set else Ports(home.ports).remembered("api-0")
    number = asked or settings.port
    if home.is_supervised():
        return Finding("Port", True, f"{number} is this stack's own")
    if number == 0 or is_free(number):
        return Finding("Port", True, f"{number or 'a free one'}")
    return Finding(
        "Port", False, f"{number} is taken by {holder(number)}: stop it, or choose INFERNO_PORT={number + 1}"
    )


def sockets(settings: Settings) -> Finding:
    """Where the folder's path is too long, servers listen on loopback with passwords."""
    home = Home.at(settings.home)
    if home.socket(_HOME_SOCKET):
        return Finding("Sockets", True, f"in {home.run}")
    return Finding("Sockets", True, f"on loopback, since the path of {home.run} is over {SOCKET_PATH_LIMIT} characters")


def broker(settings: Settings) -> Finding:
    """Java and the jars."""
    try:
        found = java.find()
    except InfernoError as error:
        return Finding("Broker", False, error.message)
    missing = jars.missing(jars.read_lock(checkout.JARS_LOCK), checkout.JARS)
    return Finding(
        "Broker", True, f"{len(missing)} jars are to be fetched" if missing else f"jars are here, {found.name} too"
    )


def network(settings: Settings) -> Finding:
    """Only asked for when something is still to be fetched."""
    missing = bool(jars.missing(jars.read_lock(checkout.JARS_LOCK), checkout.JARS))
    if not missing and (checkout.ROOT / ".venv-vllm").exists():
        return Finding("Network", True, "not needed: everything is here")
    routed = any(name != "lo" and stats.isup for name, stats in psutil.net_if_stats().items())
    said = "needed for what the first start fetches"
    return Finding("Network", routed, said if routed else f"{said}, and no interface is up")


CHECKS: Sequence[Callable[[Settings], Finding]] = (
    python,
    machine,
    disk,
    memory,
    shared_memory,
    open_files,
    port,
    sockets,
    broker,
    network,
)
