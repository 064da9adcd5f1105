"""Who is served next: requests in their order, projects in turn, so that a busy one delays itself alone."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count

from inferno_core.records import Request
from inferno_stream.owner import Owner

Waiting = tuple[Owner, Request]


class Turns:
    """Remembers which project was served when."""

    def __init__(self) -> None:
        self._served: dict[str, int] = {}
        self._clock = count()

    def order(self, waiting: Iterable[Waiting]) -> Iterator[Waiting]:
        """Give requests one project after the other, those first that were served longest ago.

        Call `served` for each that was.
        """
        queues: dict[str, deque[Waiting]] = {}
        for owner, request in waiting:
            queues.setdefault(request.tenant.project, deque()).append((owner, request))
        self._served = {project: turn for project, turn in self._served.items() if project in queues}
        turns = deque(sorted(queues, key=lambda project: self._served.get(project, -1)))
        while turns:
            project = turns.popleft()
            yield queues[project].popleft()
            if queues[project]:
                turns.append(project)

    def served(self, request: Request) -> None:
        """Note that it was this request's project's turn."""
        self._served[request.tenant.project] = next(self._clock)
