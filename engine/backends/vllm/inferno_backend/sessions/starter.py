"""Begins what workers submit, a little at a time: to read five hundred bodies takes longer than to tell a step."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from inferno_backend import inputs
from inferno_backend.seam import Engine, OpenAICall
from inferno_backend.tray import News, Tray
from inferno_core.errors import EngineFailed, InfernoError
from inferno_core.hosted import Run
from inferno_core.session import Submit

_log = logging.getLogger(__name__)


class Starter:
    """Generations on their way to `engine`, in their order. What they gain stands in `news`.

    `refusal` is what all are refused with, once there is one. `failed` is called when one could not begin.
    """

    def __init__(self, engine: Engine, news: News, failed: Callable[[], None]) -> None:
        self.refusal: InfernoError | None = None
        self._engine = engine
        self._news = news
        self._failed = failed
        self._waiting: OrderedDict[str, tuple[Tray, Submit]] = OrderedDict()

    def add(self, run: Run, submit: Submit) -> None:
        """Begin this in its turn."""
        run.words = tray = Tray(self._news, run)
        self._waiting[run.key] = (tray, submit)

    def abort(self, keys: Sequence[str]) -> None:
        """End these, whether they have begun or not."""
        begun = [key for key in keys if self._waiting.pop(key, None) is None]
        if begun:
            self._engine.cancel(begun)

    def begin(self, limit_s: float) -> bool:
        """Begin what waits, for about `limit_s`; say whether some is left."""
        until = time.perf_counter() + limit_s
        while self._waiting:
            key, (tray, submit) = self._waiting.popitem(last=False)
            self._begin(key, tray, submit)
            if time.perf_counter() > until:
                break
        return bool(self._waiting)

    def _begin(self, key: str, tray: Tray, submit: Submit) -> None:
        try:
            if self.refusal is not None:
                raise self.refusal
            body = inputs.mapping(submit.body, "body")
            self._engine.start(
                OpenAICall(key, submit.surface, body, submit.priority, submit.allowance, submit.accepted), tray
            )
        except InfernoError as error:
            self._fail(tray, error)
        except Exception:
            _log.exception("The engine failed at the start of a generation.")
            self._fail(tray, EngineFailed("The engine failed at this request."))

    def _fail(self, tray: Tray, error: InfernoError) -> None:
        tray.fail(error)
        self._failed()
