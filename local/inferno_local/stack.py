"""The table of a whole stack: which processes there are, by what is wanted and what is elsewhere already."""

from collections.abc import Mapping
from typing import NamedTuple

from inferno_core.settings import Settings
from inferno_local import engines, migrate
from inferno_local.home import Home
from inferno_local.part import Part
from inferno_local.parts import kafka, platform, postgres, redis, triton
from inferno_local.ports import LOOPBACK, Ports, is_free, taken
from inferno_local.report import Wanted
from inferno_local.vault import Vault

_PASSED_TO_SERVERS = ("PATH", "HOME", "TZ", "LD_LIBRARY_PATH")


class Site(NamedTuple):
    """Where a stack stands, and all that its table is made from besides what is wanted."""

    home: Home
    settings: Settings
    ports: Ports
    vault: Vault
    environ: Mapping[str, str]

    @property
    def server_env(self) -> dict[str, str]:
        """What foreign servers get of the person's environment, which may hold anything."""
        passed = {name: self.environ[name] for name in _PASSED_TO_SERVERS if name in self.environ}
        return passed | {"LANG": "C.UTF-8", "TMPDIR": str(self.home.temporary)}


def table(site: Site, wanted: Wanted) -> list[Part]:
    """One row a process. A server that a setting points to elsewhere has none.

    The platform's processes wait for broker and databases themselves, as they must when one of these restarts. So they
    are started beside them, which saves a third of the time; they need only what they would not come by otherwise.
    """
    parts = [*servers(site), *migrations(site)]
    if not site.settings.triton.urls:
        parts += _hosts(site, wanted)
    env = _common(site) | {"INFERNO_SECRETS__ID_KEY": site.vault.id_key}
    parts += [platform.platform_part("worker", index, site.ports, env, frozenset()) for index in range(wanted.workers)]
    env |= {
        "INFERNO_POSTGRES__DSN": _users_dsn(site),
        "INFERNO_SECRETS__KEY_PEPPER": site.vault.key_pepper,
    }
    parts += [_api(site, index, env) for index in range(wanted.api)]
    return _without_needs_elsewhere(parts)


def _api(site: Site, index: int, env: Mapping[str, str]) -> Part:
    # Replicas beyond the number of partitions share one.
    reply_partition = index % site.settings.kafka.reply_partitions
    return platform.api_part(index, api_port(site, index), reply_partition, env, frozenset({"migrate"}))


def api_port(site: Site, index: int) -> int:
    """The port of API process `index`. Only the first has one of its own choice."""
    if index:
        return site.ports.claim(f"api-{index}")
    return site.ports.claim("api-0", _first_port(site))


def api_url(site: Site, index: int) -> str:
    """The address of API process `index`."""
    return f"http://{LOOPBACK}:{api_port(site, index)}"


def elsewhere(settings: Settings) -> dict[str, str]:
    """The endpoints that settings point to. Addresses that may hold a password are not shown."""
    known = {
        "kafka": settings.kafka.bootstrap_servers,
        "postgres": "(INFERNO_POSTGRES__DSN)" if settings.postgres.dsn.get_secret_value() else "",
        "redis": "(INFERNO_REDIS__URL)" if settings.redis.url.get_secret_value() else "",
        "triton_grpc": ",".join(settings.triton.urls),
    }
    return {name: address for name, address in known.items() if address}


def redis_url(site: Site) -> str:
    """Where presence is told, as the processes reach it."""
    elsewhere = site.settings.redis.url.get_secret_value()
    return elsewhere or redis.redis_url(site.home, site.ports, site.vault)


def refuse_taken_port(site: Site) -> None:
    """Raise `Unavailable` if somebody else listens on the first API process' port. Asked before that is started."""
    port = api_port(site, 0)
    if not is_free(port):
        raise taken(port)


def _first_port(site: Site) -> int:
    if "port" in site.settings.model_fields_set:
        return site.settings.port
    return site.ports.remembered("api-0") or site.settings.port


def servers(site: Site) -> list[Part]:
    """Broker and databases, where no setting points elsewhere."""
    settings, env = site.settings, site.server_env
    parts: list[Part] = []
    if not settings.kafka.bootstrap_servers:
        parts.append(kafka.kafka_part(site.home, site.ports, env))
    if not settings.postgres.dsn.get_secret_value():
        parts.append(postgres.postgres_part(site.home, site.ports, env, site.vault))
    if not settings.redis.url.get_secret_value():
        parts.append(redis.redis_part(site.home, site.ports, env, site.vault))
    return parts


def migrations(site: Site) -> list[Part]:
    """The task that makes the databases and what stands in them first, unless that is known to be done."""
    if not site.settings.postgres.dsn.get_secret_value() and migrate.is_done(site.home, site.vault):
        return []
    return [platform.task("migrate", "inferno_local.migrate", site.environ, frozenset({"postgres"}))]


def _hosts(site: Site, wanted: Wanted) -> list[Part]:
    setup = engines.ensure(wanted.engine, site.settings)
    desired = engines.write_desired(site.home, wanted.engine, setup)
    parts: list[Part] = []
    for index in range(wanted.triton):
        parts.append(triton.triton_part(site.home, site.ports, setup.environment, index))
        parts.append(triton.agent_part(site.home, site.ports, _common(site), index, desired))
    return parts


def _common(site: Site) -> dict[str, str]:
    """What every process of the platform is told."""
    bootstrap = site.settings.kafka.bootstrap_servers
    return {
        **site.environ,
        "INFERNO_KAFKA__BOOTSTRAP_SERVERS": bootstrap or f"{LOOPBACK}:{site.ports.claim('kafka')}",
        "INFERNO_REDIS__URL": redis_url(site),
        "PYTHONUNBUFFERED": "1",
    }


def _users_dsn(site: Site) -> str:
    elsewhere = site.settings.postgres.dsn.get_secret_value()
    return elsewhere or postgres.users_dsn(site.home, site.ports, site.vault)


def _without_needs_elsewhere(parts: list[Part]) -> list[Part]:
    """Nobody waits for a server that this stack does not start."""
    names = frozenset(part.name for part in parts)
    return [part.needing(part.needs & names) for part in parts]
