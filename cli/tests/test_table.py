from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from inferno_cli.table import age, table
from inferno_local.part import State
from inferno_local.report import ProcessReport, StackReport

NOW = datetime.now(UTC).isoformat()


@pytest.mark.parametrize(("seconds", "words"), [(3, "3 s"), (600, "10 min"), (7500, "2 h")])
def test_an_age_in_words(seconds: int, words: str) -> None:
    assert age((datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()) == words


@pytest.mark.parametrize(
    ("state", "cause", "detail", "shown"),
    [
        ("waiting", "", "kafka", "for kafka"),
        ("starting", "", "loading", "loading"),
        ("ready", "was killed by SIGKILL", "", "last time it was killed by SIGKILL"),
        ("backoff", "ended with 1: [no]", "next try in 2 s", "next try in 2 s; ended with 1: [no]"),
    ],
)
def test_a_row_explains_its_state(state: State, cause: str, detail: str, shown: str) -> None:
    console = Console(width=200, file=(written := StringIO()))
    process = ProcessReport("kafka", 1, state, 0, NOW, 1_000_000, cause=cause, detail=detail)
    console.print(table(StackReport(processes=[process])))
    assert shown in written.getvalue()
