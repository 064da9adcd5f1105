import pytest

from inferno_core.errors import EngineFailed
from inferno_engine.measuring import api_server


def test_arguments_become_the_flags_of_vllms_command_line():
    arguments = {"dtype": "float32", "enforce_eager": True, "enable_prefix_caching": False, "max_num_seqs": 32}
    assert api_server.flags({**arguments, "compilation_config": {"level": 0}}) == [
        *("--dtype", "float32"),
        "--enforce-eager",
        "--no-enable-prefix-caching",
        *("--max-num-seqs", "32"),
        *("--compilation-config", '{"level": 0}'),
    ]


def test_tokens_are_counted_by_the_servers_own_usage():
    events = b'data: {"choices":[{}]}\n\n', b'data: {"choices":[],"usage":{"completion_tokens":12}}\n\n'
    assert api_server.completion_tokens(b"HTTP/1.1 200 OK\r\n\r\n" + b"".join(events) + b"data: [DONE]\n\n") == 12


@pytest.mark.parametrize("stream", [b"", b"HTTP/1.1 500 No\r\n\r\n{}", b'data: {"choices":[{}]}\n\n'])
def test_a_stream_that_broke_off_is_no_measurement(stream: bytes):
    with pytest.raises(EngineFailed, match="without an end"):
        api_server.completion_tokens(stream)
