"""Rule 1: an id is an address, and only its owner can use it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferno_core import address
from inferno_core.address import Address
from inferno_core.errors import NotFound
from inferno_core.records import Tenant

PLACE = Address(incarnation=b"abcd", topic=0, p=3, known=1 << 40, r=65_535, reply_from=12)
OWNER = Tenant("organisation", "project", "key")
SECRET = b"s" * 32


def test_an_id_gives_its_address_back() -> None:
    id = address.issue(PLACE, "chat", OWNER, SECRET)
    assert id.startswith("chatcmpl-")
    assert address.read(id, OWNER, SECRET) == address.locate(id) == PLACE


def test_ids_differ_at_the_same_address() -> None:
    assert address.issue(PLACE, "chat", OWNER, SECRET) != address.issue(PLACE, "chat", OWNER, SECRET)


def test_another_key_of_the_project_can_use_it() -> None:
    id = address.issue(PLACE, "completion", OWNER, SECRET)
    assert address.read(id, Tenant("organisation", "project", "other key"), SECRET) == PLACE


@pytest.mark.parametrize(
    "tenant",
    [Tenant("organisation", "other", "key"), Tenant("other", "project", "key")],
    ids=["project", "organisation"],
)
def test_another_tenant_can_not(tenant: Tenant) -> None:
    with pytest.raises(NotFound):
        address.read(address.issue(PLACE, "chat", OWNER, SECRET), tenant, SECRET)


def test_another_secret_can_not() -> None:
    with pytest.raises(NotFound):
        address.read(address.issue(PLACE, "chat", OWNER, SECRET), OWNER, b"t" * 32)


def test_the_surface_can_not_be_changed() -> None:
    id = address.issue(PLACE, "chat", OWNER, SECRET)
    with pytest.raises(NotFound):
        address.read(id.replace("chatcmpl-", "cmpl-"), OWNER, SECRET)


@given(st.data())
def test_no_changed_character_goes_unnoticed(data: st.DataObject) -> None:
    id = address.issue(PLACE, "chat", OWNER, SECRET)
    at = data.draw(st.integers(len("chatcmpl-"), len(id) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char != id[at]))
    with pytest.raises(NotFound):
        address.read(id[:at] + other + id[at + 1 :], OWNER, SECRET)


@given(st.text(max_size=200))
def test_what_is_no_id_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        address.read(text, OWNER, SECRET)


def test_a_log_that_was_made_anew_is_another() -> None:
    assert address.incarnation_of("queue-1", "reply-1") != address.incarnation_of("queue-1", "reply-2")
