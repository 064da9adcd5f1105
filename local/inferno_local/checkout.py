"""The checkout that this installation stands in: its environments, caches and locks are shared by all stacks."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
JARS = CACHE / "jars"
JARS_LOCK = ROOT / "requirements" / "broker.lock"
