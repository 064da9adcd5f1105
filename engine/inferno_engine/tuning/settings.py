"""One way to set an engine up: its arguments, and the environment of its processes."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

ENVIRONMENT = "environment"

Change = Mapping[str, Any]
"""Arguments by name, and under `environment` variables by name; None takes one out, so that its default holds."""


class Settings(Struct, frozen=True):
    """An engine's keyword arguments, and variables of its processes, as model.json has them."""

    arguments: dict[str, Any]
    environment: dict[str, str]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Settings":
        """Read what model.json says."""
        arguments = {name: value for name, value in document.items() if name != ENVIRONMENT}
        return cls(arguments, dict(document.get(ENVIRONMENT, {})))

    def document(self) -> dict[str, Any]:
        """Give what model.json is to say."""
        return {**self.arguments, ENVIRONMENT: self.environment} if self.environment else dict(self.arguments)

    def changed(self, change: Change) -> "Settings":
        """Give these settings with `change` made."""
        arguments = {name: value for name, value in change.items() if name != ENVIRONMENT}
        return Settings(_merged(self.arguments, arguments), _merged(self.environment, change.get(ENVIRONMENT, {})))

    @property
    def key(self) -> str:
        """Name these settings, the same whatever the order of their names."""
        return msgspec.json.encode(self.document(), order="sorted").decode()


def _merged(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**values, **change}.items() if value is not None}
