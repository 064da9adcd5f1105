"""The stack that a command is about: that of the home folder, as it runs now or will."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console

from inferno_cli.configuration import read_settings
from inferno_core.errors import InvalidRequest
from inferno_engine.errors import Unverified
from inferno_local import stack
from inferno_local.added_models import AddedModels
from inferno_local.checkout import ROOT
from inferno_local.client import Client
from inferno_local.files import read_json
from inferno_local.home import Home
from inferno_local.ports import Ports
from inferno_local.report import Wanted
from inferno_local.stack import Site
from inferno_local.vault import unlock


class Here:
    """A stack whose models are asked about, or changed."""

    def __init__(self) -> None:
        settings = read_settings()
        self.console = Console(highlight=False, soft_wrap=True)
        self.home = Home.at(settings.home)
        self.added = AddedModels(self.home, ROOT / "model_repository")
        self._client = Client(self.home)
        self._site = Site(self.home, settings, Ports(self.home.ports), unlock(self.home.secrets), os.environ)
        report = self._client.status()
        self._runs = report.wanted if report else None

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self._runs is not None

    @property
    def hosts(self) -> int:
        """How many engine hosts it has."""
        return self._runs.triton if self._runs else 0

    @property
    def redis_url(self) -> str:
        """Where its hosts tell how they stand."""
        return stack.redis_url(self._site)

    def check_takes_weights(self) -> None:
        """Raise `InvalidRequest` if its engine, or its host, can't serve what is added."""
        if self._site.settings.triton.urls:
            raise InvalidRequest("INFERNO_TRITON__URLS is set: models are added where those Tritons are kept.")
        wanted = self._runs or read_json(self.home.wanted, Wanted)
        if wanted is not None and wanted.engine != "vllm":
            raise InvalidRequest(
                f"The stack in {self.home.root} runs the {wanted.engine} engine, which needs no weights. "
                "`inferno up --engine vllm` runs the one that serves them."
            )

    def apply(self) -> None:
        """Have the supervisor write down for the agents what is desired now."""
        if self._runs:
            self._client.apply(self._runs)

    @contextmanager
    def telling(self) -> Generator[Callable[[str], None]]:
        """Give what shows a line of progress: in its place in a terminal, elsewhere once for each kind of step."""
        if self.console.is_terminal:
            with self.console.status("") as status:
                yield status.update
            return
        known: set[str] = set()

        def say(line: str) -> None:
            kind = line.partition(":")[0]
            if kind not in known:
                known.add(kind)
                self.console.print(kind, markup=False)

        yield say


@contextmanager
def said() -> Generator[None]:
    """Turn what is wrong with a model into an `InvalidRequest`, which the command line says."""
    try:
        yield
    except Unverified as error:
        raise InvalidRequest(str(error)) from error
