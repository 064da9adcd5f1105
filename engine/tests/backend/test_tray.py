import threading
from collections import deque

from fake_engine import spelt
from inferno_backend.seam import Gain, Usage
from inferno_backend.tray import End, News, Tray, collect

from inferno_core.errors import EngineFailed


def gain(word: str) -> Gain:
    return Gain(0, (1,), word)


def test_each_tray_with_news_is_given_once():
    news: News = deque()
    first, second = Tray(news, "first"), Tray(news, "second")
    for word in "abc":
        first.put(gain(word))
        second.put(gain(word))
    assert collect(news) == [first, second]
    assert [each.raw for each in first.take(10)] == ["a", "b", "c"]
    assert collect(news) == []
    first.put(gain("d"))
    assert collect(news) == [first]


def test_no_more_is_taken_than_asked_for():
    news: News = deque()
    tray = Tray(news, None)
    for word in "abcde":
        tray.put(gain(word))
    collect(news)
    assert [len(tray.take(2)) for _ in range(4)] == [2, 2, 1, 0]


def test_tokens_count_and_one_gain_at_least_is_taken():
    news: News = deque()
    tray = Tray(news, None)
    for size in (2, 2, 0, 5, 1):
        tray.put(Gain(0, (1,) * size, ""))
    collect(news)
    assert [[len(gain.tokens) for gain in tray.take(3)] for _ in range(5)] == [[2], [2, 0], [5], [1], []]


def test_what_waits_is_folded_choice_by_choice():
    news: News = deque()
    tray = Tray(news, None)
    tray.begin(spelt)
    for number in range(640):
        tray.put(Gain(number % 2, (number,), str(number % 10), "stop" if number > 637 else ""))
    collect(news)
    assert tray.fold() == 10
    for index in (0, 1):
        mine = [gain for gain in tray.gains if gain.index == index]
        assert [token for gain in mine for token in gain.tokens] == list(range(index, 640, 2))
        assert [gain.finish for gain in mine] == ["", "", "", "", "stop"]
    # Not again before there is twice as much.
    tray.put(gain("a"))
    collect(news)
    assert tray.fold() == 11


def test_what_was_dropped_is_told_no_more():
    news: News = deque()
    tray = Tray(news, None)
    tray.begin(spelt)
    tray.put(gain("a"))
    collect(news)
    tray.drop()
    assert tray.gains == []
    assert tray.fold() == 0


def test_the_first_end_counts_and_stands_behind_all_that_came_before():
    news: News = deque()
    tray = Tray(news, None)
    tray.put(gain("a"))
    tray.end(Usage(1, 1))
    tray.fail(EngineFailed("Late."))
    assert tray.ending is None
    collect(news)
    assert tray.ending == End(Usage(1, 1))
    assert len(tray.gains) == 1


def test_nothing_is_lost_between_two_threads():
    news: News = deque()
    tray = Tray(news, None)
    words = 20_000

    def put() -> None:
        for number in range(words):
            tray.put(Gain(0, (number,), ""))
        tray.end(Usage(0, words))

    thread = threading.Thread(target=put)
    thread.start()
    taken: list[int] = []
    while tray.ending is None:
        collect(news)
        taken += [each.tokens[0] for each in tray.take(words)]
    thread.join()
    assert taken == list(range(words))
