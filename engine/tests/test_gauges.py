import asyncio
from collections.abc import AsyncIterator

import pytest

from inferno_engine.gauges import Gauges, GaugesReader, parse

PAGE = """# HELP vllm:num_requests_running Generations in the engine's batch
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{model="small",version="1"} 3.000000
vllm:num_requests_running{model="small",version="2"} 1
vllm:num_requests_waiting{model="small",version="1"} 5
vllm:kv_cache_usage_perc{model="small",version="1"} 0.25
vllm:generation_tokens_total{model="small",version="1"} 120
vllm:time_to_first_token_seconds_bucket{model="small",version="1",le="0.005"} 7
nv_inference_count{model="small",version="1"} 9
"""


def test_what_is_asked_for_is_taken_out_of_a_page():
    assert parse(PAGE) == {("small", "1"): Gauges(3, 5, 0.25, 120), ("small", "2"): Gauges(running=1)}


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = PAGE.encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_page_is_fetched(address: str):
    reader = GaugesReader(address)
    assert (await reader.read())["small", "1"].running == 3
    await reader.close()


@pytest.mark.parametrize("address", ["", "127.0.0.1:1"])
async def test_where_there_is_no_page_nothing_is_known(address: str):
    reader = GaugesReader(address)
    assert await reader.read() == {}
    await reader.close()
