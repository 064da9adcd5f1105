"""How every process logs: one record a line on stderr, plain for people or JSON for collectors.

A record's facts ride along as `extra={"facts": {...}}`. No code of this platform logs content or secrets.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

Format = Literal["plain", "json"]


def configure(level: str, form: Format = "plain") -> None:
    """Send all records of at least `level` to stderr; libraries speak from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else PlainLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("api", "stream", "store", "engine", "local", "cli", "core"):
        logging.getLogger(f"inferno_{name}").setLevel(level.upper())


class PlainLines(logging.Formatter):
    """`2026-01-01T00:00:00.000Z info inferno_api: request status=200 …`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        facts = "".join(f" {name}={_plain(value)}" for name, value in _facts(record).items() if value != "")
        line = f"{_time(record)} {record.levelname.lower()} {record.name}: {record.getMessage()}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """`{"time":…,"level":…,"logger":…,"message":…,…facts}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        fields: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(fields, enc_hook=str).decode()


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts: dict[str, Any] = getattr(record, "facts", {})
    return facts


def _plain(value: object) -> str:
    """Keep a record on its line, whatever a client managed to put into a fact."""
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
