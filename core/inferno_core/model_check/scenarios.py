"""The scenarios that are checked, from the smallest to the longest."""

from inferno_core.model_check.scenario import ENDLESS, Scenario, Trouble, cancel, hang_up, repeated, request

_FIRST = request()
_SECOND = request()

SMALLEST = Scenario(
    name="an answer of two tokens, one takeover",
    workers=2,
    script=(_FIRST,),
    tokens=2,
    bounds={Trouble.ASSIGN: 1},
)
"""Small enough to visit every state in each run of the tests."""

TAKEOVER = Scenario(
    name="one answer, one takeover, one late commit",
    workers=2,
    script=(_FIRST,),
    tokens=2,
    bounds={Trouble.ASSIGN: 1, Trouble.COMMIT: 1},
)
"""In this one every switched-off rule is found out."""

FORGOTTEN = Scenario(
    name="an answer that is asked for again after its owner forgot it",
    workers=1,
    script=(_FIRST, repeated(_FIRST)),
    tokens=1,
    bounds={Trouble.ASSIGN: 1, Trouble.COMMIT: 1},
)

HUNG_UP = Scenario(
    name="an endless answer whose reader hangs up",
    workers=2,
    script=(_FIRST, hang_up(_FIRST)),
    tokens=ENDLESS,
    bounds={Trouble.ASSIGN: 2, Trouble.KILL: 1},
    late_acks=True,
)

CANCELLED = Scenario(
    name="an endless answer that is cancelled",
    workers=2,
    script=(_FIRST, cancel(_FIRST)),
    tokens=ENDLESS,
    bounds={Trouble.ASSIGN: 2, Trouble.KILL: 1},
    late_acks=True,
)

OVERTAKEN = Scenario(
    name="a worker that hears late of its epoch, beside a commit, with nothing to do",
    workers=2,
    script=(),
    tokens=0,
    bounds={Trouble.ASSIGN: 2, Trouble.COMMIT: 1},
    late_acks=True,
)

ENGINE_LOST = Scenario(
    name="an answer whose engine dies",
    workers=1,
    script=(_FIRST,),
    tokens=2,
    bounds={Trouble.ASSIGN: 1, Trouble.LOSE: 2},
    late_acks=True,
)

EXHAUSTIVE = (
    SMALLEST,
    TAKEOVER,
    FORGOTTEN,
    OVERTAKEN,
    ENGINE_LOST,
    Scenario(
        name="an answer that is asked for twice",
        workers=2,
        script=(_FIRST, repeated(_FIRST)),
        tokens=1,
        bounds={Trouble.ASSIGN: 1},
    ),
    Scenario(
        name="an answer whose reader hangs up",
        workers=2,
        script=(_FIRST, hang_up(_FIRST)),
        tokens=1,
        bounds={Trouble.ASSIGN: 1},
    ),
)

WALKS = (
    HUNG_UP,
    CANCELLED,
    Scenario(
        name="two answers whose engines die amid takeovers and a hang-up",
        workers=3,
        script=(_FIRST, _SECOND, hang_up(_FIRST)),
        tokens=3,
        bounds={Trouble.ASSIGN: 3, Trouble.KILL: 1, Trouble.LOSE: 3},
        late_acks=True,
    ),
    Scenario(
        name="two answers, three workers that sleep, die and come back",
        workers=3,
        script=(_FIRST, _SECOND),
        tokens=3,
        bounds={Trouble.ASSIGN: 4, Trouble.KILL: 2, Trouble.COMMIT: 4},
        late_acks=True,
    ),
    Scenario(
        name="repeats, a hang-up and a cancel amid takeovers",
        workers=3,
        script=(_FIRST, repeated(_FIRST), _SECOND, hang_up(_FIRST), cancel(_SECOND), repeated(_SECOND)),
        tokens=3,
        bounds={Trouble.ASSIGN: 4, Trouble.KILL: 2, Trouble.COMMIT: 4},
        late_acks=True,
    ),
)
