import asyncio
from pathlib import Path

import pytest

from inferno_core.errors import Unavailable
from inferno_engine.errors import SetupFailed
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


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (OSError(28, "No space left on device"), "free some space"),
        (SetupFailed("The engine's environment is broken."), "environment is broken"),
        (TimeoutError(), "apply did not end in time"),
    ],
)
async def test_whatever_stands_in_the_way_is_answered(tmp_path: Path, raised: Exception, said: str) -> None:
    async def handler(question: Question) -> Answer:
        raise raised

    server = await serve(tmp_path / "s", handler)
    with pytest.raises(Unavailable, match=said):
        await asyncio.to_thread(ask, tmp_path / "s", Question(do="apply"), 5)
    server.close()
