"""Teaches the Java runtime to start the broker: one start is recorded, and later ones take two thirds of its time.

The recording (an *ahead-of-time cache*, 65 MB) is bound to the jars, so it stands beside them and is shared by stacks.
"""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from inferno_core.errors import InfernoError
from inferno_engine.progress import Progress, Report
from inferno_local import checkout
from inferno_local.family import Family
from inferno_local.home import Home
from inferno_local.keeper import Keeper
from inferno_local.parts import kafka
from inferno_local.ports import Ports

START_S = 60.0
WRITE_S = 120.0


def ensure(report: Report) -> None:
    """Record a start of the broker, unless that is done. It only saves time, so its failure stops nobody."""
    target = kafka.recording()
    if target is None or target.exists():
        return
    report(Progress("the broker's first start", "recorded, so that later ones are quicker"))
    with TemporaryDirectory(dir=checkout.JARS, prefix=".train-") as scratch:
        draft = Path(scratch) / "broker.aot"
        try:
            asyncio.run(_record(Home.at(Path(scratch)), draft))
        except (InfernoError, OSError, TimeoutError):
            return
        if draft.exists():
            draft.replace(target)


async def _record(home: Home, draft: Path) -> None:
    """Start a broker with nothing in it, and stop it: it writes the recording when it ends."""
    part = kafka.kafka_part(home, Ports(home.ports), os.environ)
    java, *rest = part.argv
    part = replace(part, argv=(java, f"-XX:AOTCacheOutput={draft}", *rest), stop_s=WRITE_S)
    keeper = Keeper(part, Family(home), home)
    keeper.start(())
    try:
        await asyncio.wait_for(keeper.ready.wait(), START_S)
    finally:
        await keeper.stop()
