"""Errors as OpenAI's clients read them: one shape on every route, in streams too."""

from typing import NoReturn

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from inferno_core.errors import (
    DeadlineExceeded,
    EngineFailed,
    InfernoError,
    InvalidRequest,
    NotFound,
    Unauthenticated,
    from_code,
)
from inferno_core.records import Final, Outcome

_RETRY_AFTER_S = 1


class MethodNotAllowed(InvalidRequest):
    """The path is known, the method is not."""

    code = "method_not_allowed"
    status = 405


class ErrorDetail(Struct, frozen=True):
    """What went wrong: a sentence, OpenAI's class of error, the field at fault, and a stable code."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(Struct, frozen=True):
    """The body of every answer that is an error."""

    error: ErrorDetail


def encode(error: InfernoError) -> bytes:
    """Write an error as JSON."""
    detail = ErrorDetail(message=error.message, type=_type(error.status), param=error.param, code=error.code)
    return msgspec.json.encode(ErrorBody(detail))


def respond(error: InfernoError, headers: dict[str, str] | None = None) -> Response:
    """Make the answer that tells of an error."""
    return Response(encode(error), error.status, {**_headers(error), **(headers or {})}, "application/json")


def from_http(request: HTTPConnection, error: HTTPException) -> InfernoError:
    """Translate what the router refuses: there is no such path or method."""
    path = request.url.path[:200]
    if error.status_code == 404:
        return NotFound(f"There is no {path} here. GET /openapi.json lists what there is.")
    if error.status_code == 405:
        return MethodNotAllowed(
            f"{path} does not take {request.scope['method']}. GET /openapi.json lists what it takes."
        )
    return InvalidRequest("The request could not be read. Send it as /openapi.json describes.")


def internal() -> InfernoError:
    """Make the error that stands for any other: what happened is in the log, under the request's id."""
    return InfernoError("Something went wrong on our side. Try again, and give x-request-id when you report it.")


def raise_if_failed(final: Final) -> None:
    """Raise what a generation ended with, if it did not finish."""
    if final.failure is not None:
        raise from_code(final.failure.code, final.failure.message, final.failure.param)
    if final.outcome is not Outcome.FINISHED:
        _raise_outcome(final.outcome)


def _raise_outcome(outcome: Outcome) -> NoReturn:
    if outcome is Outcome.EXPIRED:
        raise DeadlineExceeded("The request waited longer for an engine than its deadline. Try again later.")
    raise EngineFailed(f"The generation ended early: {outcome.value.replace('_', ' ')}. Try again.")


def _type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"


def _headers(error: InfernoError) -> dict[str, str]:
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if error.status in {429, 503}:
        headers["retry-after"] = str(error.retry_after_s or _RETRY_AFTER_S)
    if error.should_retry is not None:
        # OpenAI's clients follow this before any rule of their own about statuses.
        headers["x-should-retry"] = "true" if error.should_retry else "false"
    return headers
