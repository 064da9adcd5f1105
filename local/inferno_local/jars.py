"""The broker's jars: named with their digests in a lock file, fetched once, checked at every start.

The lock names no host: where Maven artifacts come from is the business of the machine's jgo settings.
"""

import fcntl
import hashlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from inferno_core.errors import Unavailable
from inferno_engine.progress import Progress, Report


class Jar(NamedTuple):
    """An artifact of the broker, and the digest it must have."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Its name in the cache."""
        return f"{self.artifact}-{self.version}.jar"


def read_lock(lock: Path) -> list[Jar]:
    """The jars of a lock file: lines of `group:artifact:version sha256:DIGEST`."""
    jars: list[Jar] = []
    for line in lock.read_text().splitlines():
        if line and not line.startswith("#"):
            coordinate, digest = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group, artifact, version, digest.removeprefix("sha256:")))
    return jars


def is_sound(jar: Jar, path: Path) -> bool:
    """Whether `path` holds exactly what the lock names."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def missing(jars: Sequence[Jar], cache: Path) -> list[Jar]:
    """The jars that the cache does not hold as they must be."""
    return [jar for jar in jars if not is_sound(jar, cache / jar.file)]


def ensure(lock: Path, cache: Path, report: Report) -> None:
    """Fetch what is missing, checked before it is put in place. Safe for several stacks at once.

    Raises `Unavailable` if an artifact can't be had, or is not what the lock names.
    """
    jars = read_lock(lock)
    if not missing(jars, cache):
        return
    cache.mkdir(parents=True, exist_ok=True)
    with _only_one(cache), TemporaryDirectory(dir=cache, prefix=".fetch-") as scratch:
        wanted = missing(jars, cache)
        fetched = 0
        for number, jar in enumerate(wanted):
            said = f"{jar.file}, {number + 1} of {len(wanted)}, {fetched / 1e6:.0f} MB so far"
            report(Progress("the broker's jars", said, number / len(wanted)))
            path = _fetch(jar, Path(scratch))
            if not is_sound(jar, path):
                raise Unavailable(
                    f"{jar.file} is not what {lock.name} names: sha256 {jar.sha256[:12]}… was expected. "
                    "Check which Maven repository this machine uses."
                )
            fetched += path.stat().st_size
            path.replace(cache / jar.file)


def _fetch(jar: Jar, scratch: Path) -> Path:
    from jgo.config import GlobalSettings  # half a second to import, and needed once a checkout
    from jgo.maven import MavenContext  # half a second to import, and needed once a checkout

    context = MavenContext(repo_cache=scratch, remote_repos=GlobalSettings.load().repositories or None, timeout=60)
    try:
        return context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except (OSError, RuntimeError) as error:
        raise Unavailable(
            f"Can't fetch {jar.file}, a part of the broker ({type(error).__name__}). "
            "The first start needs a Maven repository; later ones need no network."
        ) from error


@contextmanager
def _only_one(cache: Path) -> Generator[None]:
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
