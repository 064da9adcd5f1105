"""The model as Triton sees it: takes requests, hands them to the engine, and cleans up."""

import itertools
import json
import locale
import logging
import sys
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from inferno_backend import engines, inputs, lifeline, signature
from inferno_backend.cancellation import Cancellation, Watched
from inferno_backend.contract import Contract
from inferno_backend.generation import Generation
from inferno_backend.openai import OpenAIContract
from inferno_backend.outbox import Outbox
from inferno_backend.seam import Call, Engine
from inferno_backend.stock import StockContract
from inferno_core.errors import InfernoError, Unavailable

_FLUSH_S = 5.0


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
        folder = Path(args["model_repository"], args["model_version"])
        self._engine: Engine = engines.make(config, folder)
        self._ids = itertools.count()
        self._outbox = Outbox()
        self._cancellation = Cancellation(self._gone)

    def execute(self, requests: list[Any]) -> None:
        """Take requests; their answers come later, from other threads."""
        for request in requests:
            self._take(request)

    def finalize(self) -> None:
        """End what still runs, then the engine."""
        for generation in self._cancellation.close():
            self._engine.cancel(generation.id)
            if isinstance(generation, Generation):
                generation.fail(Unavailable("The model is being unloaded; try again.", retry_after_s=1))
        self._outbox.close(_FLUSH_S)
        self._engine.close()

    def _take(self, request: Any) -> None:
        # A client may send the same id twice; an engine that confuses the two would end both together.
        id = f"#{next(self._ids)}"
        sender = request.get_response_sender()
        try:
            id = inputs.generation_id(request) + id
            call, contract = _read(request, id)
        except InfernoError as error:
            refusing: Contract = OpenAIContract() if inputs.speaks_openai(request) else _plain()
            self._answer(id, refusing, sender).fail(error)
            return
        generation = self._answer(id, contract, sender)
        # In this order, since the engine ignores a cancellation of what it does not know.
        self._engine.start(call, generation)
        self._cancellation.watch(generation)

    def _answer(self, id: str, contract: Contract, sender: Any) -> Generation:
        return Generation(id, contract, sender, self._outbox, self._engine.cancel)

    def _gone(self, generation: Watched) -> None:
        self._engine.cancel(generation.id)
        if isinstance(generation, Generation):
            generation.abandon()


def _read(request: Any, id: str) -> tuple[Call, Contract]:
    return inputs.openai(request, id) if inputs.speaks_openai(request) else inputs.stock_call(request, id)


def _plain() -> StockContract:
    return StockContract(n=1, stream=True, prefix="", wanted=frozenset())


def _settle() -> None:
    """Make the stub a place where engines can run: its locale is C, and torch won't be imported under that."""
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logger = pb_utils.Logger
    logger.log_info(f"Python {sys.version.split()[0]} from {sys.prefix}")
