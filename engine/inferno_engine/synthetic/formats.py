"""Strings in the formats that JSON schemas name. Hosts and addresses are those that are set aside for examples."""

from collections.abc import Callable, Mapping

from inferno_engine.synthetic import words
from inferno_engine.synthetic.draws import Draws


def _date(draws: Draws) -> str:
    return f"{2000 + draws.below(30)}-{1 + draws.below(12):02}-{1 + draws.below(28):02}"


def _time(draws: Draws) -> str:
    return f"{draws.below(24):02}:{draws.below(60):02}:{draws.below(60):02}Z"


def _host(draws: Draws) -> str:
    return f"{draws.pick(words.VOCABULARY)}.example"


def _uuid(draws: Draws) -> str:
    version, variant = "4" + draws.hexadecimal(3), draws.pick("89ab") + draws.hexadecimal(3)
    return f"{draws.hexadecimal(8)}-{draws.hexadecimal(4)}-{version}-{variant}-{draws.hexadecimal(12)}"


FORMATS: Mapping[str, Callable[[Draws], str]] = {
    "date": _date,
    "time": _time,
    "date-time": lambda draws: f"{_date(draws)}T{_time(draws)}",
    "duration": lambda draws: f"PT{1 + draws.below(59)}M",
    "email": lambda draws: f"{draws.pick(words.VOCABULARY)}@{_host(draws)}",
    "hostname": _host,
    "uri": lambda draws: f"https://{_host(draws)}/{draws.pick(words.VOCABULARY)}",
    "uuid": _uuid,
    "ipv4": lambda draws: f"192.0.2.{1 + draws.below(254)}",
    "ipv6": lambda draws: f"2001:db8::{1 + draws.below(9999)}",
}
"""A format that is not here is taken for an annotation, as the standard has it."""
