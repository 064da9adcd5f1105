import asyncio
from pathlib import Path

import pytest

from inferno_core.errors import Unavailable
from inferno_local.control import Answer, Question, ask, serve
from inferno_local.report import StackReport, Wanted


async def test_a_question_is_answered_in_a_folder_of_any_length(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 40) / "control.sock"
    path.parent.mkdir()
    asked: list[Question] = []

    async def handler(question: Question) -> Answer:
        asked.append(question)
        return Answer(report=StackReport(url="http://x"), changed=True)

    server = await serve(path, handler)
    question = Question(do="apply", wanted=Wanted(api=2))
    answer = await asyncio.to_thread(ask, path, question, 5)
    server.close()
    assert asked == [question]
    assert answer == Answer(report=StackReport(url="http://x"), changed=True)


async def test_a_refusal_is_raised(tmp_path: Path) -> None:
    async def handler(question: Question) -> Answer:
        raise Unavailable("No.")

    server = await serve(tmp_path / "s", handler)
    with pytest.raises(Unavailable, match="No"):
        await asyncio.to_thread(ask, tmp_path / "s", Question(do="down"), 5)
    server.close()


def test_nobody_is_there(tmp_path: Path) -> None:
    assert ask(tmp_path / "s", Question(do="status"), 5) is None


async def test_a_dead_socket_is_replaced(tmp_path: Path) -> None:
    async def handler(question: Question) -> Answer:
        return Answer()

    for _ in range(2):
        server = await serve(tmp_path / "s", handler)
        assert await asyncio.to_thread(ask, tmp_path / "s", Question(do="status"), 5) == Answer()
        server.close()
