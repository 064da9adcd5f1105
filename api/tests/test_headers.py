from inferno_api import headers
from inferno_api.exchange import Exchange
from inferno_core.records import Head, Tenant


def head(waited_ms: int) -> Head:
    return Head("i", 0, "chat", 1, 1, False, Tenant("o", "p", "k"), "", "m", "3", "f", waited_ms)


def test_nothing_is_told_of_what_was_not_admitted() -> None:
    assert headers.answered(Exchange("r")) == []
    assert headers.failed(Exchange("r")) == {}


def test_an_answer_tells_its_version_and_its_times() -> None:
    exchange = Exchange("r", started=10.0, admitted=10.0034, version="3", head=head(12))
    assert headers.answered(exchange) == [
        (b"x-inferno-model-version", b"3"),
        (b"x-inferno-queue-ms", b"12"),
        (b"x-inferno-overhead-ms", b"3"),
    ]


def test_the_time_in_the_queue_is_left_out_while_it_is_not_known() -> None:
    exchange = Exchange("r", started=10.0, admitted=10.5, version="3")
    assert [name for name, _ in headers.answered(exchange)] == [b"x-inferno-model-version", b"x-inferno-overhead-ms"]


def test_words_that_were_made_are_not_made_again() -> None:
    exchange = Exchange("r", version="3", first=10.0)
    assert headers.failed(exchange) == {"x-inferno-model-version": "3", "x-should-retry": "false"}
