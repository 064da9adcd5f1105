"""Every route of the inference surface stands behind this: a bearer key, and what that key allows."""

from datetime import UTC, datetime

from starlette.types import ASGIApp, Receive, Scope, Send

from inferno_api import exchange
from inferno_api.keyring import Keyring
from inferno_core.errors import Unauthenticated


class Authentication:
    """Lets in who has a key for `endpoint`; the key is then in the scope, under `key`."""

    def __init__(self, app: ASGIApp, keyring: Keyring, endpoint: str) -> None:
        self._app = app
        self._keyring = keyring
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; raises `Unauthenticated`, `Forbidden` or `Unavailable`."""
        key = await self._keyring.key(bearer(scope))
        exchange.of(scope).key_prefix = key.prefix
        address = scope["client"][0] if scope.get("client") else ""
        key.check(now=datetime.now(UTC), address=address, endpoint=self._endpoint)
        scope["key"] = key
        await self._app(scope, receive, send)


def bearer(scope: Scope) -> str:
    """Give the credential in the one `Authorization` header; raises `Unauthenticated`."""
    values: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        raise Unauthenticated("There is no API key. Send it as `Authorization: Bearer YOUR_KEY`.")
    scheme, _, credential = values[0].decode("latin-1").partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not credential.strip():
        raise Unauthenticated("The Authorization header is not `Bearer YOUR_KEY`. Send exactly one such header.")
    return credential.strip()
