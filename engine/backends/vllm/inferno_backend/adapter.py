"""The model as Triton sees it: takes requests, hands them to the engine, and cleans up."""

import gc
import itertools
import json
import locale
import logging
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from inferno_backend import engines, gauges, inputs, lifeline, pulse, signature
from inferno_backend.cancellation import Cancellation
from inferno_backend.contract import Contract, Output
from inferno_backend.farewell import Farewell
from inferno_backend.generation import Generation, response
from inferno_backend.openai import OpenAIContract
from inferno_backend.outbox import Outbox
from inferno_backend.pulse import Pulse
from inferno_backend.seam import Call, Engine
from inferno_backend.sessions import service
from inferno_backend.sessions.desk import Desk
from inferno_backend.sessions.service import Service
from inferno_backend.stock import StockContract
from inferno_backend.ticker import Ticker
from inferno_core import session as wire
from inferno_core.errors import EngineFailed, EngineLost, InfernoError, InvalidRequest, Unavailable

_FLUSH_S = 5.0
_CLOSE_S = 10.0
_REPORT_S = 1.0
_SWITCH_S = 0.001
_log = logging.getLogger(__name__)


class TritonPythonModel:
    """One version of a model, in a process of its own."""

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Complete the model's configuration."""
        return signature.complete(auto_complete_model_config)

    def initialize(self, args: dict[str, str]) -> None:
        """Start the engine; returns when it can generate. Raises if it can't."""
        lifeline.be_watched()
        _settle()
        config = json.loads(args["model_config"])
        deadline_s = pulse.deadline_s(config)
        folder = Path(args["model_repository"], args["model_version"])
        self._engine: Engine = engines.make(config, folder)
        # What an engine has loaded stays; without this each full collection of garbage looks through all of it.
        gc.collect()
        gc.freeze()
        self._ids = itertools.count()
        self._outbox = Outbox()
        self._desk = Desk(self._engine)
        self._cancellation = Cancellation(self._gone)
        self._engine.open(self._stepped)
        self._pulse = Pulse(self._engine, deadline_s, self._works, lambda: self._desk.turns, self._die)
        self._service = self._find_service(config, args["model_version"])
        self._gauges = gauges.open(config, args["model_version"])
        self._ticker = Ticker(_REPORT_S, self._report, "gauges")

    def execute(self, requests: list[Any]) -> None:
        """Take requests; their answers come later, from other threads. Never raises: some would have no answer."""
        if self._service is not None:
            self._service.serves()
        for request in requests:
            try:
                self._take(request)
            except Exception:
                _log.exception("A request could not even be refused.")

    def finalize(self) -> None:
        """End what still runs, then the engine."""
        self._pulse.close()
        if self._service is not None:
            self._service.close()
        lost = self._cancellation.close()
        self._engine.cancel([generation.id for generation in lost])
        for generation in lost:
            generation.fail(Unavailable("The model is being unloaded; try again.", retry_after_s=1))
        self._outbox.close(_FLUSH_S)
        self._desk.close(_FLUSH_S)
        self._ticker.close(_FLUSH_S)
        if self._gauges is not None:
            self._gauges.close()
        self._engine.close()

    def _stepped(self) -> None:
        self._desk.stepped()
        self._outbox.stepped()

    def _report(self) -> None:
        if self._gauges is not None:
            self._gauges.update(self._engine.stats)

    def _works(self) -> bool:
        return self._desk.works() or bool(self._cancellation.live())

    def _find_service(self, config: dict[str, Any], version: str) -> Service | None:
        address = service.address(config)
        if not address:
            _log.warning(
                "Neither %s nor the parameter %s says where Triton's HTTP is: sessions won't be told of an unload.",
                service.ADDRESS,
                service.PARAMETER,
            )
            return None
        return Service(address, config["name"], version, self._desk.proven, self._desk.retire)

    def _take(self, request: Any) -> None:
        sender = request.get_response_sender()
        try:
            said = _read_session(request)
        except Exception as error:
            self._part(sender, Output(error=_known(error)))
            return
        match said:
            case wire.Attach():
                self._desk.attach(sender, said)
            case wire.Commands():
                self._desk.command(said)
                self._part(sender)
            case None:
                self._begin(request, sender)

    def _part(self, sender: Any, last: Output | None = None) -> None:
        """Answer for the last time."""
        farewell = Farewell(sender, None if last is None else response(last))
        if farewell.speak():
            self._outbox.take(farewell)

    def _begin(self, request: Any, sender: Any) -> None:
        """Have a request of its own answered."""
        # A client may send the same id twice; an engine that confuses the two would end both together.
        id = f"#{next(self._ids)}"
        try:
            id = inputs.generation_id(request) + id
            call, contract = _read(request, id)
        except Exception as error:
            refusing: Contract = OpenAIContract() if inputs.speaks_openai(request) else _plain()
            self._answer(id, refusing, sender).fail(_known(error))
            return
        generation = self._answer(id, contract, sender)
        # In this order, since the engine ignores a cancellation of what it does not know.
        try:
            self._engine.start(call, generation.tray)
        except Exception as error:
            generation.fail(_known(error))
        self._cancellation.watch(generation)

    def _answer(self, id: str, contract: Contract, sender: Any) -> Generation:
        return Generation(id, contract, sender, self._outbox, self._engine.cancel)

    def _gone(self, generations: Sequence[Generation]) -> None:
        self._engine.cancel([generation.id for generation in generations])
        for generation in generations:
            generation.abandon()

    def _die(self, reason: str) -> None:
        """The engine is dead: tell everyone, and end this process, so that the agent loads the model anew."""
        _log.error("%s This process ends.", reason)
        error = EngineLost("The engine stopped working; try again.", retry_after_s=5)
        for generation in self._cancellation.live():
            generation.fail(error)
        self._desk.retire(error)
        self._desk.dismissed.wait(_FLUSH_S)
        self._outbox.close(_FLUSH_S)
        # A process of the engine's that hangs would stay, with its memory: it can't see that this one has ended.
        closing = threading.Thread(target=self._engine.close, name="close", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)
        os._exit(1)


def _read_session(request: Any) -> wire.Attach | wire.Commands | None:
    """Read what a worker says in a session; None if the request is none of that. Raises InvalidRequest."""
    try:
        attach = inputs.data(request, wire.ATTACH_INPUT)
        if attach is not None:
            return wire.decode_attach(attach)
        commands = inputs.data(request, wire.COMMANDS_INPUT)
        return None if commands is None else wire.decode_commands(commands)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The session's request can't be read: {error}.") from error


def _known(error: Exception) -> InfernoError:
    """Give what a client is told of an error: of those that nobody foresaw, no more than that there was one."""
    if isinstance(error, InfernoError):
        return error
    _log.error("A request could not be taken.", exc_info=error)
    return EngineFailed("The model failed at this request.")


def _read(request: Any, id: str) -> tuple[Call, Contract]:
    if inputs.speaks_openai(request):
        return inputs.openai(request, id)
    return (
        inputs.stock_embedding_call(request, id) if inputs.wants_embedding(request) else inputs.stock_call(request, id)
    )


def _plain() -> StockContract:
    return StockContract(n=1, stream=True, prefix="", wanted=frozenset())


def _settle() -> None:
    """Make the stub a place where engines can run: its locale is C, and torch won't be imported under that."""
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # By default a thread that computes makes all others wait 5 ms for their turn, and so the words of a step.
    sys.setswitchinterval(_SWITCH_S)
    # Not by Triton's logger: a stub that is killed while it has Triton's ear leaves a lock taken there for ever.
    _log.info("Python %s from %s", sys.version.split()[0], sys.prefix)
