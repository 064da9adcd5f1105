"""`make docs` writes docs/openapi.json so: `python -m inferno_api.document > docs/openapi.json`."""

import sys

from inferno_api import control
from inferno_api.catalogue import Catalogue
from inferno_api.document import Document
from inferno_api.metrics import Metrics
from inferno_core.hosts import Host
from inferno_stream.fake import FakeEdge


async def _no_hosts() -> list[Host]:
    return []


def main() -> None:
    """Write the document of an edge that serves nothing: it says the same as any other's."""
    edge = FakeEdge(lambda draft: ())
    routes = control.build(catalogue=Catalogue(_no_hosts), edge=edge, metrics=Metrics()).routes
    sys.stdout.buffer.write(Document(routes).json)


if __name__ == "__main__":
    main()
