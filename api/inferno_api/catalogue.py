"""Which models serve: what the engine hosts' agents say, read once a second.

A host that says nothing any more is believed for a few seconds longer, and all of them while Redis is away: presence
is a hint, and the worker and the engine have the last word.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from inferno_core.errors import InfernoError, ModelNotFound, Unavailable
from inferno_core.hosts import Host, HostedModel, ModelState

Read = Callable[[], Awaitable[Sequence[Host]]]

_REFRESH_S = 1.0
_BELIEVED_S = 5.0
_STATES = {ModelState.VERIFYING: "verifying", ModelState.LOADING: "loading", ModelState.PROVING: "proving"}

_log = logging.getLogger(__name__)


class Catalogue:
    """The models of all hosts. `clock` is Unix time in seconds."""

    def __init__(self, read: Read, *, clock: Callable[[], float] = time.time) -> None:
        self._read = read
        self._clock = clock
        self._hosts: dict[str, tuple[float, Host]] = {}
        self._away = False

    async def run(self) -> None:
        """Refresh once a second until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(_REFRESH_S)

    async def refresh(self) -> None:
        """Read what the hosts say now; keep what is known if it can't be read."""
        try:
            hosts = await self._read()
        except InfernoError as error:
            if not self._away:
                _log.warning("presence can't be read, the last known is kept: %s", error.message)
            self._away = True
            return
        self._away = False
        now = self._clock()
        self._hosts = {name: entry for name, entry in self._hosts.items() if now - entry[0] < _BELIEVED_S}
        self._hosts.update({host.name: (now, host) for host in hosts})

    def serving(self) -> list[HostedModel]:
        """Give each model that serves, in the newest version that does; the default first, then by name."""
        newest: dict[str, HostedModel] = {}
        for model in self._hosted():
            if model.state is ModelState.READY and _is_newer(model, newest.get(model.name)):
                newest[model.name] = model
        return sorted(newest.values(), key=lambda model: (not model.default, model.name))

    def resolve(self, name: str, allowed: Callable[[str], bool] = lambda name: True) -> HostedModel:
        """Give the version of model `name` that answers a request, among the models that are `allowed`.

        Raises:
            ModelNotFound: there is no such model for this caller.
            Unavailable: it is known and doesn't serve yet, or a host has not said yet what it has.

        """
        found = {model.name: model for model in self.serving() if allowed(model.name)}
        if name in found:
            return found[name]
        waiting = [model for model in self._hosted() if model.name == name and allowed(name)]
        if waiting:
            raise Unavailable(self._progress(waiting), retry_after_s=self._remaining_s(waiting[0]))
        if not self._hosts or not all(host.models for _, host in self._hosts.values()):
            raise Unavailable("An engine host has not reported its models yet. Try again shortly.", retry_after_s=5)
        listed = ", ".join(found) or "none"
        raise ModelNotFound(f"There is no model {name[:100]!r}. Choose one of: {listed}.", param="model")

    def problem(self) -> str | None:
        """Say why this platform is not ready to answer; None, if it is."""
        if not self._hosts:
            return "waiting for an engine host to report"
        serving = {model.name for model in self.serving()}
        wanted = {model.name for model in self._hosted() if model.default} or {model.name for model in self._hosted()}
        if wanted & serving:
            return None
        waiting = [model for model in self._hosted() if model.name in wanted]
        return self._progress(waiting) if waiting else "no engine host has a model"

    def _hosted(self) -> Iterable[HostedModel]:
        return [model for _, host in self._hosts.values() for model in host.models]

    def _progress(self, waiting: Sequence[HostedModel]) -> str:
        """Tell how far the first of these that has not failed is."""
        model = next((model for model in waiting if model.state in _STATES), waiting[0])
        if model.state not in _STATES:
            return f"model {model.name} failed: {model.detail or 'the log of its agent says why'}"
        elapsed = f"{max(0, self._clock() - model.since):.0f} s"
        expected = f" of about {model.expected_s:.0f} s" if model.expected_s > 0 else ""
        return f"{_STATES[model.state]} model {model.name}: {elapsed}{expected}"

    def _remaining_s(self, model: HostedModel) -> int:
        return max(1, min(60, round(model.since + model.expected_s - self._clock())))


def _is_newer(model: HostedModel, than: HostedModel | None) -> bool:
    return than is None or _rank(model.version) > _rank(than.version)


def _rank(version: str) -> tuple[int, str]:
    """Order versions as numbers where they are numbers."""
    return (int(version) if version.isdecimal() else -1, version)
