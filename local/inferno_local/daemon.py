"""The supervisor as a process: repairs what an earlier one left, answers at its socket, and leaves when told."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence

from inferno_core.errors import InfernoError, InvalidRequest
from inferno_core.settings import Settings
from inferno_local import control, explain, journal, leftovers, stack
from inferno_local.control import Answer, Question
from inferno_local.files import write_json
from inferno_local.home import Home
from inferno_local.part import Part
from inferno_local.ports import Ports
from inferno_local.report import StackReport, Wanted, describe, given_settings, resident_bytes
from inferno_local.stack import Site
from inferno_local.supervisor import Supervisor
from inferno_local.vault import credentials, unlock

_log = logging.getLogger(__name__)
TRIM_EVERY_S = 30.0
AGAIN_S = 1.0
# The undertaker of a killed supervisor, or a command that looks, may hold the home's lock for a moment.
LOCK_S = leftovers.GONE_WITHIN_S + 2.0

Table = Callable[[Site, Wanted], Sequence[Part]]


class Daemon:
    """One stack's supervisor, with what answers for it."""

    def __init__(self, site: Site, table: Table) -> None:
        self._site = site
        self._table = table
        self._supervisor = Supervisor(site.home)
        self._wanted: Wanted | None = None
        self._settings = given_settings(site.environ)
        self.leave = asyncio.Event()

    async def answer(self, question: Question) -> Answer:
        """Do what is asked. Raises an `InfernoError` that says why it can't be."""
        changed = False
        if question.do == "apply" and question.wanted:
            changed = await self._apply(question.wanted)
        elif question.do == "restart":
            await self._supervisor.restart(question.name)
        elif question.do == "down":
            await self._supervisor.stop()
            self._site.home.wanted.unlink(missing_ok=True)
            self.leave.set()
        elif question.do != "status":
            raise InvalidRequest("`apply` needs to know what is wanted.")
        memory = await asyncio.to_thread(resident_bytes, os.getpid()) if question.memory else {}
        return Answer(report=self._report(memory), changed=changed)

    async def stop(self) -> None:
        """Stop every process in order."""
        await self._supervisor.stop()

    async def trim_logs(self) -> None:
        """Keep every log within its bound, for as long as this runs."""
        while True:
            for keeper in self._supervisor.keepers:
                await asyncio.to_thread(journal.trim, self._site.home.log(keeper.part.name))
            await asyncio.sleep(TRIM_EVERY_S)

    async def keep_undertaker(self) -> None:
        """Keep the process that buries what is left if this one is killed."""
        await self._supervisor.keep_undertaker()

    async def run_beside(self, work: Callable[[], None] | None) -> None:
        """Run `work` in a thread; if it fails while nobody asked to leave, leave."""
        if work is None:
            return
        try:
            await asyncio.to_thread(work)
        except InfernoError:
            if not self.leave.is_set():
                self.leave.set()
                raise

    async def _apply(self, wanted: Wanted) -> bool:
        site = self._site
        if not self._supervisor.keepers:
            stack.refuse_taken_port(site)
        table = await asyncio.to_thread(self._table, site, wanted)
        urls = [stack.api_url(site, index) for index in range(wanted.api)]
        write_json(site.home.credentials, credentials(site.vault, urls))
        write_json(site.home.wanted, wanted)
        changed = await self._supervisor.apply(table)
        self._wanted = wanted
        return changed

    def _report(self, memory: Mapping[int, int]) -> StackReport:
        wanted = self._wanted
        urls = [stack.api_url(self._site, index) for index in range(wanted.api)] if wanted else []
        return StackReport(
            url=urls[0] if urls else "",
            api_urls=urls,
            processes=[describe(keeper, memory) for keeper in self._supervisor.keepers],
            endpoints=self._endpoints(),
            wanted=wanted,
            settings=self._settings,
        )

    def _endpoints(self) -> dict[str, str]:
        """Where each server is reached; of several of a kind all, comma-separated."""
        found = stack.elsewhere(self._site.settings)
        for keeper in self._supervisor.keepers:
            for name, address in keeper.part.endpoints.items():
                found[name] = f"{found[name]},{address}" if name in found else address
        return found


async def persist(work: Callable[[], Awaitable[None]], again_s: float = AGAIN_S) -> None:
    """Go on with `work`, which has no end, though the machine refuses it something: a full disk is not so for ever."""
    while True:
        try:
            await work()
        except OSError as error:
            _log.warning("%s.", explain.trouble(error))
            await asyncio.sleep(again_s)


async def run(
    settings: Settings, environ: Mapping[str, str], table: Table, beside: Callable[[], None] | None = None
) -> None:
    """Supervise the stack of `settings.home` until `inferno down`, SIGTERM or SIGINT.

    `table` says which processes it has. `beside` runs in a thread once questions are answered; what it raises stops
    the stack and is raised here.
    Raises `Unavailable` if another supervisor has this home already.
    """
    home = Home.at(settings.home)
    with home.supervised(within_s=LOCK_S):
        leftovers.bury(home.root, leftovers.Register(home.register))
        daemon = Daemon(Site(home, settings, Ports(home.ports), unlock(home.secrets), environ), table)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, daemon.leave.set)
        server = await control.serve(home.control, daemon.answer)
        background = [asyncio.create_task(persist(work)) for work in (daemon.trim_logs, daemon.keep_undertaker)]
        work = asyncio.create_task(daemon.run_beside(beside))
        await daemon.leave.wait()
        await daemon.stop()
        for task in background:
            task.cancel()
        await asyncio.wait(background)
        server.close()
        home.control.unlink(missing_ok=True)
        await work
