import copy
import json
import pickle
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from inferno_core import keys
from inferno_core.errors import Forbidden, Unauthenticated
from inferno_core.keys import Key, Secret
from inferno_core.records import Tenant

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = Key(tenant=Tenant("o", "p", "k"), prefix="inf-abc")
PEPPER = b"p" * 32


def check(key: Key, address: str = "10.1.2.3", endpoint: str = "completions") -> None:
    key.check(now=NOW, address=address, endpoint=endpoint)


def test_an_issued_key_can_be_parsed_and_is_new_each_time() -> None:
    first, second = keys.issue(), keys.issue()
    assert first != second
    assert keys.parse(first.reveal()) == first
    assert keys.prefix(first) == first.reveal()[:16]


@pytest.mark.parametrize("index", [4, 20, 49, 54])
def test_a_slip_of_the_pen_is_no_key(index: int) -> None:
    text = keys.issue().reveal()
    wrong = "0" if text[index] != "0" else "1"
    assert keys.parse(text[:index] + wrong + text[index + 1 :]) is None


@pytest.mark.parametrize("text", ["", "inf-", "sk-" + "a" * 52, "inf-" + "é" * 51, "inf-" + "a" * 10_000])
def test_what_is_no_key_at_all(text: str) -> None:
    assert keys.parse(text) is None


def test_a_secret_never_shows() -> None:
    secret = keys.issue()
    text = secret.reveal()
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>5}", "%s" % secret, repr([secret])):  # noqa: UP031
        assert text not in shown
    for serialise in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode):
        with pytest.raises(TypeError):
            serialise(secret)


def test_a_digest_depends_on_the_whole_key_and_the_pepper() -> None:
    secret = keys.issue()
    other = Secret(secret.reveal()[:-1] + "?")
    assert len(keys.digest(secret, PEPPER)) == 32
    assert keys.digest(secret, PEPPER) != keys.digest(other, PEPPER)
    assert keys.digest(secret, PEPPER) != keys.digest(secret, b"q" * 32)


def test_a_key_without_bounds_allows_everything() -> None:
    check(KEY)
    assert KEY.allows_model("any")


def test_an_expired_or_revoked_key_is_refused() -> None:
    for ended in ({"expires_at": NOW}, {"revoked_at": NOW - timedelta(seconds=1)}):
        with pytest.raises(Unauthenticated, match="inf-abc"):
            check(msgspec.structs.replace(KEY, **ended))
    check(msgspec.structs.replace(KEY, expires_at=NOW + timedelta(seconds=1)))


def test_a_key_is_bound_to_its_networks() -> None:
    bound = msgspec.structs.replace(KEY, networks=("10.0.0.0/8", "::1/128"))
    check(bound)
    check(bound, address="::1")
    for address in ("192.168.0.1", "testclient", ""):
        with pytest.raises(Forbidden):
            check(bound, address=address)


def test_a_key_is_bound_to_its_scopes() -> None:
    bound = msgspec.structs.replace(KEY, endpoints=("chat.completions",), models=("smollm2",))
    with pytest.raises(Forbidden, match=r"chat\.completions"):
        check(bound, endpoint="completions")
    assert bound.allows_model("smollm2")
    assert not bound.allows_model("synthetic")
