from pathlib import Path

import pytest

from inferno_core.settings import Settings
from inferno_local import stack
from inferno_local.home import Home
from inferno_local.ports import Ports
from inferno_local.report import Wanted
from inferno_local.stack import Site
from inferno_local.vault import unlock

ELSEWHERE = {
    "INFERNO_KAFKA__BOOTSTRAP_SERVERS": "broker:9092",
    "INFERNO_POSTGRES__DSN": "postgresql://u:secret@db/users",
    "INFERNO_REDIS__URL": "redis://:secret@cache",
    "INFERNO_TRITON__URLS": "triton:8001",
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)
    home = Home.at(tmp_path)
    return Site(home, Settings(), Ports(home.ports), unlock(home.secrets), ELSEWHERE)


def test_what_is_elsewhere_is_not_started(site: Site) -> None:
    names = [part.name for part in stack.table(site, Wanted(api=2, workers=3))]
    assert names == ["migrate", "worker-0", "worker-1", "worker-2", "api-0", "api-1"]


def test_nobody_waits_for_what_is_elsewhere(site: Site) -> None:
    needs = {part.name: part.needs for part in stack.table(site, Wanted())}
    assert needs == {"migrate": frozenset(), "worker-0": frozenset(), "api-0": frozenset({"migrate"})}


def test_addresses_elsewhere_reach_the_processes_and_no_secret_is_shown(site: Site) -> None:
    for part in stack.table(site, Wanted())[1:]:
        assert part.env["INFERNO_KAFKA__BOOTSTRAP_SERVERS"] == "broker:9092"
    assert "secret" not in str(stack.elsewhere(site.settings))


def test_a_process_gets_no_secret_that_is_not_its_own(site: Site) -> None:
    parts = {part.name: part for part in stack.table(site, Wanted())}
    assert "INFERNO_SECRETS__KEY_PEPPER" in parts["api-0"].env
    assert "INFERNO_SECRETS__KEY_PEPPER" not in parts["worker-0"].env
    assert site.vault.id_key not in repr(parts)


def test_the_same_wish_gives_the_same_processes(site: Site) -> None:
    once, again = (stack.table(site, Wanted(api=2)) for _ in range(2))
    assert all(a.same_process(b) for a, b in zip(once, again, strict=True))


def test_more_replicas_than_partitions_share_them(site: Site) -> None:
    count = site.settings.kafka.reply_partitions
    parts = stack.table(site, Wanted(api=count + 1))
    chosen = [part.env["INFERNO_API__REPLY_PARTITION"] for part in parts if part.name.startswith("api-")]
    assert chosen == [*(str(index) for index in range(count)), "0"]
