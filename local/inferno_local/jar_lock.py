"""Makes the broker's lock anew: `python -m inferno_local.jar_lock`, by `make lock`."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from jgo.config import GlobalSettings
from jgo.maven import MavenContext

from inferno_local import checkout

ROOTS = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:1.7.36")
_HEAD = "# The broker's jars, made by `make lock`: group:artifact:version sha256:digest.\n"


def resolve(roots: Sequence[str], scratch: Path) -> str:
    """Fetch `roots` and all that they need at run time into `scratch`, and give the lock's text."""
    context = MavenContext(repo_cache=scratch, remote_repos=GlobalSettings.load().repositories or None, timeout=60)
    given, needed = context.resolver.resolve([context.create_dependency(root) for root in roots])
    lines: list[str] = []
    for dependency in (*given, *needed):
        digest = hashlib.sha256(dependency.artifact.resolve().read_bytes()).hexdigest()
        coordinate = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
        lines.append(f"{coordinate} sha256:{digest}\n")
    return _HEAD + "".join(sorted(lines))


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        checkout.JARS_LOCK.write_text(resolve(ROOTS, Path(scratch)))
