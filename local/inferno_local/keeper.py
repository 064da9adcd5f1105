"""Keeps the process of one part alive: prepares, starts, waits until it answers, and starts it again when it ends."""

import asyncio
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from inferno_core.errors import InfernoError
from inferno_local import explain
from inferno_local.family import Child, Family
from inferno_local.home import Home
from inferno_local.part import Part, State

POLL_S = 0.05
SLOW_POLL_S = 0.25
EAGER_S = 3.0
FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 10.0
# A life of this length is no loop of crashes: the next start is immediate again.
SETTLED_S = 10.0


class Keeper:
    """The life of one part. `ready` is set while its process answers, or when its task is done.

    `restarts` counts starts after the first, `cause` says why the last one was needed, `detail` what is waited for.
    """

    def __init__(self, part: Part, family: Family, home: Home) -> None:
        self.part = part
        self.ready = asyncio.Event()
        self.state: State = "waiting"
        self.since = time.time()
        self.restarts = 0
        self.failures = 0
        self.cause = ""
        self.detail = ""
        self.child: Child | None = None
        self._family = family
        self._log = home.log(part.name)
        self._asked = False
        self._task: asyncio.Task[None] | None = None

    def start(self, needs: Iterable["Keeper"]) -> None:
        """Begin, as soon as every part that this one needs is ready."""
        self._task = asyncio.create_task(self._keep(tuple(needs)), name=f"keep {self.part.name}")

    async def stop(self) -> None:
        """End the process in order, within the part's deadline, and don't start it again."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self.child:
            self._to("stopping")
            await self.child.stop(self.part.stop_signal, self.part.stop_s)
            self.child = None
        self.ready.clear()
        self._to("stopped")

    async def restart(self) -> None:
        """End the process in order, and return when its successor is ready. Raises `TimeoutError`."""
        if self.child:
            self._asked = True
            self.ready.clear()
            self._to("stopping")
            await self.child.stop(self.part.stop_signal, self.part.stop_s)
        async with asyncio.timeout(self.part.ready_s):
            await self.ready.wait()

    async def _keep(self, needs: tuple["Keeper", ...]) -> None:
        for need in needs:
            self.detail = need.part.name
            await need.ready.wait()
        while not await self._live():
            self.ready.clear()
            self.restarts += 1
            if self._asked:
                self._asked = False
                continue
            delay = min(FIRST_BACKOFF_S * 2**self.failures, LONGEST_BACKOFF_S) if self.failures else 0.0
            self.failures += 1
            self._to("backoff", f"next try in {delay:.0f} s" if delay >= 1 else "")
            await asyncio.sleep(delay)

    async def _live(self) -> bool:
        """One life of the process. True: its task is done."""
        written = explain.written(self._log)
        try:
            self._to("preparing")
            await self.part.prepare(self._run)
            self.child = self._spawn()
            self._to("starting")
            late = await self._become_ready(self.child)
            code = await self.child.exit()
        except OSError as error:
            self.cause = f"could not be prepared: {explain.trouble(error)}"
            return False
        except InfernoError as error:
            self.cause = f"could not be prepared: {error.message}"
            return False
        self.child = None
        if self.part.ready is None and code == 0:
            self.ready.set()
            self._to("done")
            return True
        if not self._asked:
            self.cause = late or explain.cause(code, explain.last_words(self._log, written))
            if self.state == "ready" and time.time() - self.since > SETTLED_S:
                self.failures = 0
        return False

    async def _become_ready(self, child: Child) -> str:
        """Wait until it answers or ends. Kills it when it takes too long, and says so."""
        if self.part.ready is None:
            return ""
        begun = time.monotonic()
        while not child.has_exited:
            waits_for = await self.part.ready()
            if waits_for is None:
                self.ready.set()
                self._to("ready")
                return ""
            self.detail = waits_for
            took = time.monotonic() - begun
            if took > self.part.ready_s:
                child.send(signal.SIGKILL)
                return f"did not answer within {self.part.ready_s:.0f} s ({waits_for}), and was killed"
            with suppress(TimeoutError):
                await child.exit(POLL_S if took < EAGER_S else SLOW_POLL_S)
        return ""

    def _spawn(self) -> Child:
        part = self.part
        return self._family.spawn(part.argv, part.env, self._log, nobody=part.nobody, cwd=part.cwd)

    async def _run(self, *argv: str, within_s: float = 120) -> None:
        await self._family.run(argv, self.part.env, self._log, nobody=self.part.nobody, within_s=within_s)

    def _to(self, state: State, detail: str = "") -> None:
        self.state, self.detail, self.since = state, detail, time.time()
