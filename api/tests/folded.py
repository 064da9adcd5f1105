"""Folds choice objects, given as a test writes them."""

import json
from typing import Any

from inferno_api.responses.folding import Cover, Folding
from inferno_core.acceptance import Accepted
from inferno_core.records import Frame, Usage

USAGE = Usage(1, 2)


def fold(folding: Folding, *deltas: dict[str, Any], usage: Usage | None = USAGE, fingerprint: str = "f") -> Any:
    """Give the whole answer, of deltas that came one by one."""
    for delta in deltas:
        frame = Frame("i", 0, delta.get("index", 0), 0, (1,), json.dumps(delta).encode())
        folding.add([Accepted(frame, 0)])
    return json.loads(folding.whole(Cover("i", 1, "m", fingerprint, usage)))
