"""Ports on loopback: chosen once, remembered in the home folder, and explained when somebody else has them."""

import socket
from pathlib import Path

import psutil

from inferno_core.errors import Unavailable
from inferno_local.files import read_json, write_json

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now. Connections that linger from a former one don't count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Who listens on `port`, as far as this user may see."""
    try:
        listeners = (each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN)
        pid = next((each.pid for each in listeners if each.laddr[1:] == (port,)), None)
        if pid:
            return f"process {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        pass
    return "a process that this user may not see"


def taken(port: int) -> Unavailable:
    """The error for a port that somebody else has."""
    return Unavailable(f"Port {port} is taken by {holder(port)}. Stop it, or choose another: INFERNO_PORT={port + 1}.")


class Ports:
    """The ports of one home, by what listens there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._chosen = read_json(path, dict[str, int]) or {}
        self._claimed: set[str] = set()

    @classmethod
    def in_use(cls, path: Path) -> "Ports":
        """The ports of a stack that runs: all are its own, so none is looked at."""
        ports = cls(path)
        ports._claimed.update(ports._chosen)
        return ports

    def remembered(self, name: str) -> int:
        """The port that `name` had last, 0 for none."""
        return self._chosen.get(name, 0)

    def claim(self, name: str, port: int = 0) -> int:
        """The port for `name`: exactly `port` if one is given, else the one it had, if nobody took it meanwhile.

        Asked again, it answers the same without a look, since by then the stack itself may listen there.
        """
        chosen = port or self._chosen.get(name, 0)
        if not chosen or not (port or name in self._claimed or is_free(chosen)):
            chosen = self._find()
        self._claimed.add(name)
        if self._chosen.get(name) != chosen:
            self._chosen[name] = chosen
            write_json(self._path, self._chosen)
        return chosen

    def _find(self) -> int:
        while True:
            with socket.socket() as probe:
                probe.bind((LOOPBACK, 0))
                port = int(probe.getsockname()[1])
            if port not in self._chosen.values():
                return port
