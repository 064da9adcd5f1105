from typing import Any

import pytest
from api.tests.test_connection import GONE, part, receiving

from inferno_api.wire import bodies
from inferno_api.wire.bodies import BodyBudget, read_body
from inferno_api.wire.connection import ClientGone
from inferno_core.errors import InvalidRequest, RequestTimeout, TooLarge, Unavailable


async def read(*messages: dict[str, Any], declared: bytes = b"", budget: BodyBudget | None = None) -> bytes:
    headers = [(b"content-length", declared)] if declared else []
    return await read_body({"headers": headers}, receiving(*messages), 10, budget or BodyBudget())


async def test_a_body_is_read_to_its_end() -> None:
    assert await read(part(b"12345", more=True), part(b"67890")) == b"1234567890"


async def test_a_body_that_is_too_large_is_refused_as_soon_as_that_is_known() -> None:
    with pytest.raises(TooLarge):
        await read(declared=b"11")
    with pytest.raises(TooLarge):
        await read(part(b"123456", more=True), part(b"123456", more=True))


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"br, identity"])
async def test_a_compressed_body_is_refused(coding: bytes) -> None:
    scope = {"headers": [(b"content-encoding", coding)]}
    with pytest.raises(InvalidRequest, match="content-encoding"):
        await read_body(scope, receiving(part(b"{}")), 10, BodyBudget())


async def test_a_length_of_any_number_of_digits_is_understood() -> None:
    with pytest.raises(TooLarge):
        await read(declared=b"9" * 6000)


async def test_a_client_that_leaves_amid_its_body_is_gone() -> None:
    with pytest.raises(ClientGone):
        await read(part(b"1", more=True), GONE)


async def test_a_body_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_TIMEOUT_S", 0.01)
    with pytest.raises(RequestTimeout, match="did not arrive"):
        await read(part(b"1", more=True))


async def test_all_bodies_together_have_a_bound_which_is_free_again() -> None:
    budget = BodyBudget(8)
    with budget.share() as other:
        other.grow(5)
        with pytest.raises(Unavailable) as refused:
            await read(part(b"12", more=True), part(b"34"), budget=budget)
        assert refused.value.retry_after_s
        assert budget.held_bytes == 5
        assert await read(part(b"123"), budget=budget) == b"123"
    assert await read(part(b"12345678"), budget=budget) == b"12345678"
    assert budget.held_bytes == 0
