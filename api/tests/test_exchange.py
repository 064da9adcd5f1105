from inferno_api.exchange import Exchange
from inferno_api.telemetry.histogram import Series
from inferno_core import trace
from inferno_core.acceptance import Accepted
from inferno_core.records import Final, Frame, Head, Outcome, Tenant

HEAD = Head("id", 0, "chat", 0, 1, False, Tenant("o", "p", "k"), "", "m", "1", "f", waited_ms=5)


def accepted(index: int, finish: str | None = None, final: Final | None = None) -> Accepted:
    return Accepted(Frame("id", 0, 0, index, (1,), b"{}", finish, final), index)


def test_the_first_head_stays_and_others_are_takeovers() -> None:
    exchange = Exchange("id")
    exchange.began(HEAD)
    exchange.began(HEAD)
    assert (exchange.head, exchange.takeovers) == (HEAD, 1)


def test_words_are_timed_as_they_come_together() -> None:
    exchange = Exchange("id", gaps=Series((1.0,)))
    exchange.heard([accepted(0), accepted(1)])
    assert exchange.first is not None
    assert exchange.first == exchange.last
    exchange.heard([accepted(2, "stop", Final(Outcome.FINISHED))])
    assert exchange.gaps is not None
    assert (sum(exchange.gaps.counts), exchange.frames, exchange.finishes) == (1, 3, ("stop",))
    assert (exchange.outcome, exchange.last >= exchange.first) == ("finished", True)


def test_an_end_without_words_is_no_token() -> None:
    exchange = Exchange("id")
    exchange.heard([Accepted(Frame("id", 0, -1, 0, (), b"", None, Final(Outcome.FAILED)), -1)])
    assert (exchange.first, exchange.outcome) == (None, "failed")


def test_what_follows_goes_on_with_its_trace_or_its_callers() -> None:
    own, caller = trace.root(sampled=True), trace.root(sampled=True)
    assert Exchange("id", trace=own, parent=caller).traceparent == own.traceparent
    assert Exchange("id", parent=caller).traceparent == caller.traceparent
    assert Exchange("id").traceparent == ""
