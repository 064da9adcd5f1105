from typing import Any

import pytest

from inferno_api.telemetry.operators import Operators
from inferno_core import keys
from inferno_core.errors import Forbidden, InvalidRequest


def scope(address: str | None, secret: str | None = None) -> dict[str, Any]:
    headers = [(b"authorization", f"Bearer {secret}".encode())] if secret else []
    return {"type": "http", "client": (address, 1) if address else None, "headers": headers}


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "10.1.2.3", "2001:db8::7"])
async def test_who_is_near_reads(world: Any, address: str) -> None:
    await Operators(("10.0.0.0/8", "2001:db8::/64"), world.parts.keyring).check(scope(address))


@pytest.mark.parametrize("address", ["11.0.0.1", "2001:db8:1::7", "a-name", "", None])
async def test_nobody_else_does(world: Any, address: str | None) -> None:
    operators = Operators(("10.0.0.0/8", "2001:db8::/64"), world.parts.keyring)
    with pytest.raises(Forbidden, match="INFERNO_API__OPERATOR_NETWORKS"):
        await operators.check(scope(address))


async def test_a_key_reads_that_was_made_for_it(world: Any) -> None:
    operators = Operators((), world.parts.keyring)
    asked = scope("10.0.0.1", world.secret.reveal())
    for endpoints in (None, (), ("models",)):
        world.allow(endpoints=endpoints)
        with pytest.raises(Forbidden):
            await operators.check(asked)
    world.allow(endpoints=("models", "metrics"))
    await operators.check(asked)
    world.allow(endpoints=("metrics",), networks=("192.168.0.0/16",))
    with pytest.raises(Forbidden):
        await operators.check(asked)
    with pytest.raises(Forbidden):
        await operators.check(scope("10.0.0.1", keys.issue().reveal()))


def test_what_is_no_network_is_told_at_once(world: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"'10\.0\.0\.1/8'"):
        Operators(("10.0.0.1/8",), world.parts.keyring)
