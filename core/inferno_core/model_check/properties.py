"""What must hold, whatever happens: watched on the logs themselves, by the true rules, at every step."""

from inferno_core.acceptance import Acceptance
from inferno_core.effects import Committed
from inferno_core.records import Done, Epoch, QueueRecord, ReplyRecord, Request


class Violation(AssertionError):
    """A property does not hold."""


class Text:
    """What every reader of one generation has been shown: its acceptance and the tokens."""

    def __init__(self, acceptance: Acceptance) -> None:
        self.acceptance = acceptance
        self.tokens: list[int] = []


class Watch:
    """The readers' and an auditor's view of both topics.

    `requests` has the place of each request in p, `done` the ids with a valid done, `given` what each engine run was
    given to go on from.
    """

    def __init__(self) -> None:
        self.acceptance: type[Acceptance] = Acceptance
        self.epoch = -1
        self.requests: dict[str, int] = {}
        self.done: set[str] = set()
        self.texts: dict[str, Text] = {}
        self.given: dict[int, tuple[int, ...]] = {}

    def queued(self, offset: int, record: QueueRecord) -> None:
        """A record stands in p."""
        match record:
            case Request():
                self.requests.setdefault(record.id, offset)
            case Epoch():
                self.epoch = offset
            case Done() if record.epoch >= self.epoch:
                self.done.add(record.id)
            case _:
                pass

    def replied(self, record: ReplyRecord) -> None:
        """A record stands in r: every reader takes the same from it."""
        text = self.texts.setdefault(record.id, Text(self.acceptance()))
        accepted = text.acceptance.read(record)
        if text.acceptance.alarms:
            raise Violation("a frame of the current epoch does not fit: a token is missing or comes twice")
        if accepted is not None:
            for token in accepted.frame.tokens:
                self._no_splice(text.tokens, token)
                text.tokens.append(token)

    def _no_splice(self, tokens: list[int], token: int) -> None:
        """A run's words follow another's only if it was given exactly the words before them."""
        run, index = divmod(token, 100)
        if index != len(tokens):
            raise Violation("a token is missing or comes twice")
        other = bool(tokens) and tokens[-1] // 100 != run
        if (other or not tokens) and self.given[run] != tuple(tokens):
            raise Violation("words of two engine runs are spliced")

    def committed(self, place: Committed) -> None:
        """A commit is in force."""
        if any(offset < place.offset and id not in self.done for id, offset in self.requests.items()):
            raise Violation("the commit passes an unfinished request")

    def run(self, serial: int, id: str, given: tuple[int, ...], epoch: int) -> None:
        """An engine begins a run for the worker of `epoch`."""
        self.given[serial] = given
        text = self.texts.get(id)
        if epoch >= self.epoch and text is not None and text.acceptance.final is not None:
            raise Violation("a finished request runs again")

    def at_rest(self, tokens: int) -> None:
        """Nothing more will happen: every request has its whole answer, its final frame, and a valid done."""
        for id in self.requests:
            text = self.texts.get(id)
            if text is None or text.acceptance.final is None:
                raise Violation("a request has no final frame")
            if id not in self.done:
                raise Violation("a finished request has no done")
            if text.acceptance.final.outcome == "finished" and len(text.tokens) != tokens:
                raise Violation("an answer is not whole")
