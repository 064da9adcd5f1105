"""Organisations own projects, projects own keys.

A key's secret is nowhere: `prefix` finds its row and `digest`, HMAC-SHA256 under the platform's pepper, proves it. In
`models`, `endpoints` and `networks` NULL allows all, an empty list nothing; in the limits and in `retention_days` NULL
sets none. A rotated key names its successor in `replaced_by` and lives on until it is revoked or expires.
"""

from alembic import op

revision = "0001"
down_revision = None

_UP = (
    """
    CREATE TABLE organisations (
        id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        slug        text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
        name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        created_at  timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE projects (
        id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        organisation_id uuid NOT NULL REFERENCES organisations,
        slug            text NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
        name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        store           text NOT NULL DEFAULT 'none' CHECK (store IN ('none', 'metadata', 'full')),
        retention_days  integer CHECK (retention_days > 0),
        created_at      timestamptz NOT NULL DEFAULT now(),
        UNIQUE (organisation_id, slug)
    )
    """,
    """
    CREATE TABLE keys (
        id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        project_id          uuid NOT NULL REFERENCES projects,
        name                text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
        prefix              text NOT NULL UNIQUE,
        digest              bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
        models              text[],
        endpoints           text[],
        networks            cidr[],
        requests_per_minute integer CHECK (requests_per_minute > 0),
        tokens_per_minute   integer CHECK (tokens_per_minute > 0),
        concurrent          integer CHECK (concurrent > 0),
        created_at          timestamptz NOT NULL DEFAULT now(),
        expires_at          timestamptz,
        last_used_at        timestamptz,
        revoked_at          timestamptz,
        replaced_by         uuid REFERENCES keys
    )
    """,
    "CREATE INDEX keys_by_project ON keys (project_id, created_at)",
    "CREATE INDEX keys_by_successor ON keys (replaced_by) WHERE replaced_by IS NOT NULL",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    for table in ("keys", "projects", "organisations"):
        op.execute(f"DROP TABLE {table}")
