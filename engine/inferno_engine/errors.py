"""What can go wrong while an engine host is set up."""

from inferno_core.errors import Unavailable


class SetupFailed(Unavailable):
    """A step of the set-up failed; the message says which, and the way out."""


class Unverified(Exception):
    """A model version is not what it should be, and is not loaded; the message says why."""
