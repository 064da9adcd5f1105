"""Reads the settings from the environment, and says which variable is wrong if one is."""

from pydantic import ValidationError

from inferno_core.errors import InvalidRequest
from inferno_core.settings import Settings


def read_settings() -> Settings:
    """The settings of this command. Raises `InvalidRequest` that names the variable and its fault."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "INFERNO_" + "__".join(str(part).upper() for part in first["loc"])
        raise InvalidRequest(f"{name}: {first['msg']}. docs/settings.md says what it may be.") from None
