import asyncio

import grpc.aio
import pytest
from fake_triton import FakeTriton

from inferno_stream.tritons import Tritons


async def test_an_address_has_one_connection() -> None:
    tritons = Tritons(5.0)
    assert tritons.at("here:1") is tritons.at("here:1")
    assert tritons.at("here:1") is not tritons.at("there:1")
    await tritons.close()


async def test_one_that_is_neither_known_nor_held_is_closed() -> None:
    async with FakeTriton([]) as triton:
        tritons = Tritons(5.0)
        connection = tritons.at(triton.address)
        await connection.models()
        with tritons.held(triton.address):
            tritons.keep_only(set())
        tritons.keep_only({triton.address})
        await connection.models()
        tritons.keep_only(set())
        assert triton.address not in tritons
        with pytest.raises((grpc.aio.UsageError, asyncio.CancelledError)):
            await connection.models()
        await tritons.at(triton.address).models()
        await tritons.close()
