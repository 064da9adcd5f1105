from typing import cast

from log_platform import MakeDraft

from inferno_stream.fairness import Turns
from inferno_stream.owner import Owner


def test_projects_take_turns_and_the_last_served_comes_last(draft: MakeDraft) -> None:
    owner = cast("Owner", None)
    waiting = [
        (owner, draft(project).request(f"{project}{number}", "r", 0)) for project in ("a", "b") for number in range(2)
    ]
    turns = Turns()
    assert [request.id for _, request in turns.order(waiting)] == ["a0", "b0", "a1", "b1"]
    turns.served(waiting[0][1])
    assert [request.id for _, request in turns.order(waiting)] == ["b0", "a0", "b1", "a1"]
