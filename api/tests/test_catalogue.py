from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from inferno_api.catalogue import Catalogue
from inferno_core.errors import ModelNotFound, Unavailable
from inferno_core.hosts import Host, HostedModel, ModelState

READY = HostedModel(name="smollm2", version="2", state=ModelState.READY, since=100.0, default=True)
LOADING = replace(READY, state=ModelState.LOADING, expected_s=65.0)


class Presence:
    def __init__(self, *models: HostedModel) -> None:
        self.hosts: list[Host] = [host("triton-0", *models)]
        self.away = False
        self.now = 140.0
        self.catalogue = Catalogue(self._read, clock=lambda: self.now)

    async def _read(self) -> Sequence[Host]:
        if self.away:
            raise Unavailable("Redis is away.")
        return self.hosts


def host(name: str, *models: HostedModel) -> Host:
    return Host(name=name, grpc="", http="", incarnation="", models=models)


async def test_the_default_comes_first_then_names_in_order() -> None:
    presence = Presence(replace(READY, name="b", default=False), replace(READY, name="a", default=False), READY)
    await presence.catalogue.refresh()
    assert [model.name for model in presence.catalogue.serving()] == ["smollm2", "a", "b"]


async def test_a_name_means_its_newest_version_that_serves() -> None:
    presence = Presence(READY, replace(READY, version="10"), replace(LOADING, version="11"))
    await presence.catalogue.refresh()
    assert presence.catalogue.resolve("smollm2").version == "10"


async def test_an_unknown_model_lists_what_there_is() -> None:
    presence = Presence(READY)
    await presence.catalogue.refresh()
    with pytest.raises(ModelNotFound, match="Choose one of: smollm2") as caught:
        presence.catalogue.resolve("gpt-4")
    assert caught.value.param == "model"
    with pytest.raises(ModelNotFound, match="Choose one of: none"):
        presence.catalogue.resolve("smollm2", lambda name: False)


async def test_a_host_that_has_not_said_what_it_has_may_have_it() -> None:
    """Its Triton just died, say: a client that got a 404 would not come back."""
    presence = Presence()
    await presence.catalogue.refresh()
    with pytest.raises(Unavailable, match="not reported its models yet"):
        presence.catalogue.resolve("smollm2")


async def test_a_model_that_loads_tells_how_far_it_is() -> None:
    presence = Presence(LOADING)
    await presence.catalogue.refresh()
    assert presence.catalogue.problem() == "loading model smollm2: 40 s of about 65 s"
    with pytest.raises(Unavailable, match="loading model smollm2: 40 s of about 65 s") as caught:
        presence.catalogue.resolve("smollm2")
    assert caught.value.retry_after_s == 25


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"expected_s": 0.0}, "loading model smollm2: 40 s"),
        ({"state": ModelState.VERIFYING}, "verifying model smollm2: 40 s of about 65 s"),
        ({"state": ModelState.PROVING, "since": 150.0}, "proving model smollm2: 0 s of about 65 s"),
        ({"state": ModelState.FAILED, "detail": "no memory"}, "model smollm2 failed: no memory"),
        ({"state": ModelState.READY}, None),
    ],
)
async def test_every_state_has_its_sentence(changes: dict[str, object], problem: str | None) -> None:
    presence = Presence(replace(LOADING, **changes))
    await presence.catalogue.refresh()
    assert presence.catalogue.problem() == problem


async def test_the_default_decides_whether_the_platform_is_ready() -> None:
    presence = Presence(LOADING, replace(READY, name="other", default=False))
    await presence.catalogue.refresh()
    assert presence.catalogue.problem() is not None
    presence.hosts.append(host("triton-1", READY))
    await presence.catalogue.refresh()
    assert presence.catalogue.problem() is None


async def test_nothing_is_known_before_a_host_reports() -> None:
    presence = Presence()
    presence.hosts = []
    await presence.catalogue.refresh()
    assert presence.catalogue.problem() == "waiting for an engine host to report"
    with pytest.raises(Unavailable):
        presence.catalogue.resolve("smollm2")


async def test_a_host_without_models_is_not_ready() -> None:
    presence = Presence()
    await presence.catalogue.refresh()
    assert presence.catalogue.problem() == "no engine host has a model"


async def test_the_last_known_is_kept_while_presence_is_away() -> None:
    presence = Presence(READY)
    await presence.catalogue.refresh()
    presence.away, presence.now = True, 10_000.0
    await presence.catalogue.refresh()
    assert presence.catalogue.resolve("smollm2") == READY


async def test_a_host_that_falls_silent_is_believed_a_little_longer() -> None:
    presence = Presence(READY)
    await presence.catalogue.refresh()
    presence.hosts = []
    presence.now += 3
    await presence.catalogue.refresh()
    assert presence.catalogue.problem() is None
    presence.now += 3
    await presence.catalogue.refresh()
    assert presence.catalogue.problem() is not None
