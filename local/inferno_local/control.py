"""The supervisor's socket: one question as a line of JSON, one answer as another.

It is reached through `/proc/self/fd`, so a home folder of any length can have it. Only its owner can enter the folder.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from inferno_core.errors import InfernoError, Unavailable
from inferno_local import explain
from inferno_local.report import StackReport, Wanted

LINE_LIMIT = 1 << 20


class Question(Struct, omit_defaults=True):
    """From `inferno` to the supervisor. `apply` needs `wanted`, `restart` needs `name`; `memory`: count it, too."""

    do: Literal["status", "apply", "restart", "down"]
    wanted: Wanted | None = None
    name: str = ""
    memory: bool = False


class Answer(Struct, omit_defaults=True):
    """From the supervisor to `inferno`. `changed`: what was asked was not so already. `error`: why it was refused."""

    report: StackReport | None = None
    changed: bool = False
    error: str = ""


Handler = Callable[[Question], Awaitable[Answer]]


@contextmanager
def _short(path: Path) -> Generator[str]:
    """A name for `path` that fits a socket address, whatever the folder's length."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def serve(path: Path, handler: Handler) -> asyncio.Server:
    """Answer questions at `path` until the server is closed.

    The caller holds the home's lock, so a socket that is there already is a dead one's.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            question = msgspec.json.decode(await reader.readline(), type=Question)
            writer.write(msgspec.json.encode(await _answered(handler, question)) + b"\n")
            await writer.drain()
        except (OSError, ValueError):
            # Whoever asked has hung up, or is not `inferno`.
            pass
        finally:
            writer.close()

    await asyncio.to_thread(path.unlink, missing_ok=True)
    with _short(path) as short:
        return await asyncio.start_unix_server(answer, short, limit=LINE_LIMIT)


async def _answered(handler: Handler, question: Question) -> Answer:
    try:
        return await handler(question)
    except InfernoError as error:
        return Answer(error=error.message)
    except TimeoutError:
        return Answer(error=f"{question.name or question.do} did not end in time. See `inferno status`.")
    except OSError as error:
        return Answer(error=explain.trouble(error))


def ask(path: Path, question: Question, timeout_s: float) -> Answer | None:
    """Ask the supervisor at `path`; None if none is there. Raises `Unavailable` if it refuses or does not answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        try:
            with _short(path) as short:
                connection.connect(short)
            connection.sendall(msgspec.json.encode(question) + b"\n")
            line = connection.makefile("rb").readline(LINE_LIMIT)
        except (FileNotFoundError, ConnectionError):
            return None
        except TimeoutError:
            raise Unavailable(
                f"The supervisor did not answer within {timeout_s:.0f} s. See `inferno logs supervisor`."
            ) from None
    if not line:
        return None
    answer = msgspec.json.decode(line, type=Answer)
    if answer.error:
        raise Unavailable(answer.error)
    return answer
