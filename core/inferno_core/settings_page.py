"""docs/settings.md, made from the settings themselves: `python -m inferno_core.settings_page > docs/settings.md`."""

import sys
from collections.abc import Iterator
from typing import cast

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from inferno_core.settings import Settings

_INTRODUCTION = """\
# Settings

Every process takes its settings from environment variables. The embedded stack fills in addresses and secrets; its
`inferno up` hands on every `INFERNO_…` variable that it is started with. This page is made from
[`settings.py`](../core/inferno_core/settings.py) by `make docs`.
"""
_TABLE = "| Variable | Default | |\n|---|---|---|"


def page() -> str:
    """Render the page, a table a group, the ungrouped ones first."""
    own = [_row(f"INFERNO_{name.upper()}", field) for name, field in _plain(Settings)]
    parts = [_INTRODUCTION, "\n".join([_TABLE, *own])]
    parts += [_group(name, group) for name, group in _groups()]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _groups() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field.annotation


def _plain(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    groups = dict(_groups())
    return ((name, field) for name, field in model.model_fields.items() if name not in groups)


def _group(name: str, group: type[BaseModel]) -> str:
    purpose = (group.__doc__ or "").strip()
    rows = [_row(f"INFERNO_{name.upper()}__{field.upper()}", info) for field, info in group.model_fields.items()]
    return "\n".join([f"## {name.capitalize()}", "", purpose, "", _TABLE, *rows])


def _row(variable: str, field: FieldInfo) -> str:
    return f"| `{variable}` | {_default(field.default)} | {field.description} |"


def _default(value: object) -> str:
    """Show a default as the environment would spell it; an empty one as nothing."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = ",".join(str(part) for part in cast("tuple[object, ...]", value))
    return f"`{value}`" if str(value) else ""


if __name__ == "__main__":
    sys.stdout.write(page())
