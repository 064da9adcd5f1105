import socket
from pathlib import Path

import pytest

from inferno_local.ports import LOOPBACK, Ports, holder, is_free, taken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ports.json"


def test_a_port_is_kept_across_lives(path: Path) -> None:
    port = Ports(path).claim("kafka")
    assert Ports(path).claim("kafka") == port
    assert Ports(path).remembered("kafka") == port


def test_names_get_different_ports(path: Path) -> None:
    ports = Ports(path)
    assert len({ports.claim(f"api-{index}") for index in range(20)}) == 20


def test_a_port_that_somebody_took_is_replaced(path: Path) -> None:
    port = Ports(path).claim("kafka")
    with socket.create_server((LOOPBACK, port)):
        assert Ports(path).claim("kafka") != port


def test_a_port_of_ones_own_is_not_looked_at_again(path: Path) -> None:
    ports = Ports(path)
    port = ports.claim("kafka")
    with socket.create_server((LOOPBACK, port)):
        assert ports.claim("kafka") == port
        assert Ports.in_use(path).claim("kafka") == port


def test_a_wish_is_followed(path: Path) -> None:
    assert Ports(path).claim("api-0", 18080) == 18080
    assert Ports(path).remembered("api-0") == 18080


def test_who_has_a_taken_port_is_said() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        assert "python" in holder(port)
        assert f"Port {port} is taken" in taken(port).message
        assert f"INFERNO_PORT={port + 1}" in taken(port).message
    assert is_free(port)
