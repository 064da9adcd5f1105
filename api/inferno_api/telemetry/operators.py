"""Who may read this process' figures: who is on the machine, on a network of operators, or has a key made for it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import Scope

from inferno_api.authentication import bearer
from inferno_api.keyring import Keyring
from inferno_core.errors import Forbidden, InvalidRequest, Unauthenticated

ENDPOINT = "metrics"
"""What a key's scope must name. A key for every endpoint is a client's, and shows nobody's figures."""

_LOOPBACK = ("127.0.0.0/8", "::1/128")


class Operators:
    """Lets in from loopback, from `networks` in CIDR, and by keys. Raises `InvalidRequest` for what is no network."""

    def __init__(self, networks: Sequence[str], keyring: Keyring) -> None:
        self._networks = [_network(text) for text in (*_LOOPBACK, *networks)]
        self._keyring = keyring

    async def check(self, scope: Scope) -> None:
        """Refuse whoever is no operator, with `Forbidden`."""
        address: str = scope["client"][0] if scope.get("client") else ""
        if not self._is_near(address) and not await self._has_key(scope, address):
            raise Forbidden(
                "Figures are for operators: ask from the machine itself, from a network in "
                f"INFERNO_API__OPERATOR_NETWORKS, or with a key whose endpoints name {ENDPOINT!r}."
            )

    def _is_near(self, address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)

    async def _has_key(self, scope: Scope, address: str) -> bool:
        try:
            key = await self._keyring.key(bearer(scope))
            key.check(now=datetime.now(UTC), address=address, endpoint=ENDPOINT)
        except (Unauthenticated, Forbidden):
            return False
        return key.endpoints is not None


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise InvalidRequest(
            f"INFERNO_API__OPERATOR_NETWORKS names {text!r}, which is no network. Write it as 10.0.0.0/8."
        ) from error
