"""A worker with a scripted engine in a process of its own, for tests that kill it: bootstrap, queue and reply topic."""

import asyncio
import sys

from inferno_core.records import Request
from inferno_core.settings import KafkaSettings, WorkerSettings
from inferno_stream.fake import FakeEngine, Step, words
from inferno_stream.metrics import Metrics
from inferno_stream.worker import Worker

TEXTS = [f"word{number} " for number in range(50)]


def answer(request: Request) -> list[Step]:
    """Give the same answer in every process."""
    return words(*TEXTS)


async def main() -> None:
    bootstrap, queue_topic, reply_topic = sys.argv[1:]
    settings = KafkaSettings(bootstrap_servers=bootstrap, queue_topic=queue_topic, reply_topic=reply_topic)
    engine = FakeEngine(answer, pace=lambda: asyncio.sleep(0.02))
    await Worker(settings, WorkerSettings(), engine, Metrics(), name="worker-to-kill").start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
