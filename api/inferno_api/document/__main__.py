"""`make docs` writes docs/openapi.json so: `python -m inferno_api.document > docs/openapi.json`."""

import sys

from inferno_api import control
from inferno_api.catalogue import Catalogue
from inferno_api.document import Document
from inferno_api.keyring import Keyring
from inferno_api.parts import Parts
from inferno_api.telemetry.canary import Canary
from inferno_api.telemetry.metrics import Metrics
from inferno_api.waiting import WaitingRoom
from inferno_core.hosts import Host
from inferno_core.keys import Key, Secret
from inferno_core.records import Deadlines
from inferno_core.settings import ApiSettings
from inferno_stream.fake import FakeEdge


async def _no_hosts() -> list[Host]:
    return []


async def _no_key(secret: Secret) -> Key | None:
    return None


def main() -> None:
    """Write the document of an edge that serves nothing: it says the same as any other's."""
    edge, catalogue, metrics, settings = FakeEdge(lambda draft: ()), Catalogue(_no_hosts), Metrics(), ApiSettings()
    parts = Parts(
        edge=edge,
        catalogue=catalogue,
        keyring=Keyring(_no_key, pepper=b"", believed_s=0),
        metrics=metrics,
        canary=Canary(edge, catalogue, metrics, settings),
        waiting=WaitingRoom(settings.max_waiting, settings.max_waiting_per_key),
        deadlines=Deadlines(),
        settings=settings,
    )
    sys.stdout.buffer.write(Document(control.build(parts).routes).json)


if __name__ == "__main__":
    main()
