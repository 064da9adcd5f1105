"""Everything that can go wrong, as one tree, so that every surface renders the same code and status.

InfernoError                     code                    status  retryable
├── InvalidRequest               invalid_request         400
│   ├── ContextLengthExceeded    context_length_exceeded 400
│   ├── HeadersTooLarge          headers_too_large       431
│   └── RequestTimeout           request_timeout         408
├── Unauthenticated              invalid_api_key         401
├── Forbidden                    forbidden               403
├── NotFound                     not_found               404
│   └── ModelNotFound            model_not_found         404
├── Fenced                       fenced                  409
├── TooLarge                     request_too_large       413
├── RateLimited                  rate_limit_exceeded     429     yes
├── EngineFailed                 engine_failed           500     yes
│   └── EngineLost               engine_lost             500     yes
├── Unavailable                  unavailable             503     yes
│   └── WorkerLost               worker_lost             503     yes
└── DeadlineExceeded             deadline_exceeded       504     yes
"""

from typing import ClassVar


class InfernoError(Exception):
    """An error that a person may see.

    `message` names the thing, its value and the way out; it never holds a secret, a traceback or an
    engine's own words. `param` names the field of the request at fault, if one is.
    `retry_after_s` is an honest estimate, in seconds, of when a repeat may succeed.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    should_retry: ClassVar[bool | None] = None
    """What `x-should-retry` tells OpenAI's clients; None leaves them to their own rule."""

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s


class InvalidRequest(InfernoError):
    """The request can't be honoured as it is written."""

    code = "invalid_request"
    status = 400


class ContextLengthExceeded(InvalidRequest):
    """The prompt and the tokens asked for do not fit the model's context."""

    code = "context_length_exceeded"


class Unauthenticated(InfernoError):
    """No key, or one that is not known."""

    code = "invalid_api_key"
    status = 401


class Forbidden(InfernoError):
    """The key is known and may not do this."""

    code = "forbidden"
    status = 403


class NotFound(InfernoError):
    """There is no such thing, or not for this caller."""

    code = "not_found"
    status = 404


class ModelNotFound(NotFound):
    """No such model is served here, or not to this key."""

    code = "model_not_found"


class Fenced(InfernoError):
    """Another worker, with a higher epoch, commands this request partition. No client ever sees this."""

    code = "fenced"
    status = 409


class TooLarge(InfernoError):
    """The body is larger than is read."""

    code = "request_too_large"
    status = 413


class HeadersTooLarge(InvalidRequest):
    """The request line or the headers are larger than is read."""

    code = "headers_too_large"
    status = 431


class RequestTimeout(InvalidRequest):
    """The request did not arrive in time."""

    code = "request_timeout"
    status = 408
    should_retry = False


class RateLimited(InfernoError):
    """A limit of the caller's own is reached."""

    code = "rate_limit_exceeded"
    status = 429
    retryable = True


class EngineFailed(InfernoError):
    """The engine failed at a request that looked sound."""

    code = "engine_failed"
    status = 500
    retryable = True
    should_retry = False


class EngineLost(EngineFailed):
    """The engine died while it worked at this. It can go on elsewhere from its tokens, so clients rarely see it."""

    code = "engine_lost"


class Unavailable(InfernoError):
    """A part that is needed is away or full; nothing was begun."""

    code = "unavailable"
    status = 503
    retryable = True


class WorkerLost(Unavailable):
    """The process that drove a generation is gone, and its words can't be continued."""

    code = "worker_lost"


class DeadlineExceeded(InfernoError):
    """A deadline of the request passed: in the queue, before the first token, or as a whole."""

    code = "deadline_exceeded"
    status = 504
    retryable = True
    should_retry = False


_CLASSES: tuple[type[InfernoError], ...] = (
    InvalidRequest,
    ContextLengthExceeded,
    Unauthenticated,
    Forbidden,
    NotFound,
    ModelNotFound,
    Fenced,
    TooLarge,
    HeadersTooLarge,
    RequestTimeout,
    RateLimited,
    EngineFailed,
    EngineLost,
    Unavailable,
    WorkerLost,
    DeadlineExceeded,
)
BY_CODE: dict[str, type[InfernoError]] = {cls.code: cls for cls in _CLASSES}


def from_code(code: str, message: str, param: str | None = None) -> InfernoError:
    """Make the error that `code` names; an unknown code is an `EngineFailed`."""
    return BY_CODE.get(code, EngineFailed)(message, param=param)
