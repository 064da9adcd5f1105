import threading
from collections import deque

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
