from inferno_cli.up import _wanted
from inferno_local.report import Wanted


def test_at_first_there_is_one_of_each() -> None:
    assert _wanted(Wanted(), None, None, None, None) == Wanted(engine="vllm", api=1, workers=1, triton=1)


def test_what_is_not_said_stays_as_it_runs() -> None:
    running = Wanted(engine="synthetic", api=2)
    assert _wanted(running, None, None, 3, None) == Wanted(engine="synthetic", api=2, workers=3, triton=1)
