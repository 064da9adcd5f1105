import pytest

from inferno_core.errors import EngineFailed
from inferno_stream import tensors


def test_strings_come_back_as_they_went() -> None:
    request = tensors.new_request("model", "1", "id")
    tensors.add_string(request, "one", "héllo")
    tensors.add_string(request, "two", b"\x00")
    tensors.add_bool(request, "three", True)
    assert tensors.strings(request.raw_input_contents[0]) == ["héllo".encode()]
    assert tensors.strings(b"".join(request.raw_input_contents[:2])) == ["héllo".encode(), b"\x00"]
    assert request.raw_input_contents[2] == b"\x01"
    assert [(tensor.name, tensor.datatype) for tensor in request.inputs] == [
        ("one", "BYTES"),
        ("two", "BYTES"),
        ("three", "BOOL"),
    ]


@pytest.mark.parametrize("data", [b"\x01", b"\x05\x00\x00\x00abc"])
def test_a_cut_tensor_of_strings_is_an_error(data: bytes) -> None:
    with pytest.raises(EngineFailed):
        tensors.strings(data)


def test_integers() -> None:
    assert list(tensors.integers(b"\x01\x00\x00\x00\xff\xff\xff\xff")) == [1, -1]
    with pytest.raises(EngineFailed):
        tensors.integers(b"\x01\x00")
