"""What the edge is made of."""

from dataclasses import dataclass, field

from inferno_api.catalogue import Catalogue
from inferno_api.keyring import Keyring
from inferno_api.telemetry.canary import Canary
from inferno_api.telemetry.metrics import Metrics
from inferno_api.waiting import WaitingRoom
from inferno_api.wire.bodies import BodyBudget
from inferno_core.records import Deadlines
from inferno_core.settings import ApiSettings
from inferno_stream.edge import Edge
from inferno_stream.tracing import NoTracer, Tracer


@dataclass(frozen=True)
class Parts:
    """All parts. The root makes them; whoever starts them stops them."""

    edge: Edge
    catalogue: Catalogue
    keyring: Keyring
    metrics: Metrics
    canary: Canary
    waiting: WaitingRoom
    deadlines: Deadlines
    settings: ApiSettings
    tracer: Tracer = field(default_factory=NoTracer)
    bodies: BodyBudget = field(default_factory=BodyBudget)
