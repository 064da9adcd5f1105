import io

import pytest
from rich.console import Console

from inferno_cli.tuning import Sheet, verdict
from inferno_engine.tuning.bench import QUICK
from inferno_engine.tuning.journal import Entry, Rates

FASTER = Entry("", "threads", "2", "", "", (Rates(1, 30.0, 20.0), Rates(8, 90.0, 60.0), Rates(32, 150.0, 100.0)))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (None, "measuring"),
        (FASTER, "faster, +50.0%"),
        (Entry("", "", "", "", "", (Rates(1, 10.0, 10.0),)), "no gain, +0.0%"),
        (Entry("", "", "", "", "", out="disagrees: 3 of 12 answers differ"), "out: disagrees: 3 of 12 answers differ"),
    ],
)
def test_a_verdict_says_what_came_of_it(entry: Entry | None, said: str) -> None:
    assert verdict(entry) == said


def test_a_row_grows_while_it_is_measured() -> None:
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    sheet = Sheet(console, QUICK)
    sheet.report("threads", "2", None)
    sheet.report("threads", "2", FASTER)
    sheet.report("dtype", "bfloat16", None)
    console.print(sheet.table())
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "90.0 (60.0)" in shown
    assert "measuring" in shown


def test_without_a_terminal_each_row_is_a_line() -> None:
    console = Console(file=io.StringIO(), width=200)
    sheet = Sheet(console, QUICK)
    sheet.report("threads", "2", None)
    sheet.report("threads", "2", FASTER)
    said = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert said.startswith("threads 2: faster, +50.0%; 1: 30.0 against 20.0 tok/s; 8:")
