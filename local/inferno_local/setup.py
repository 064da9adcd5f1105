"""What must be on disk before a stack can start: the broker's jars and the engine. Repeated, nothing is done."""

from inferno_core.settings import Settings
from inferno_engine.progress import Report
from inferno_local import checkout, engines, jars, training
from inferno_local.report import Wanted


def ensure(settings: Settings, wanted: Wanted, report: Report) -> None:
    """Fetch, install and convert what `wanted` lacks. Raises `Unavailable` with the way out."""
    if not settings.kafka.bootstrap_servers:
        jars.ensure(checkout.JARS_LOCK, checkout.JARS, report)
        training.ensure(report)
    if not settings.triton.urls:
        engines.ensure(wanted.engine, settings, report)
