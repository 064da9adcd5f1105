"""Whether the Python that runs this can also run inside Triton, whose stub links libpython."""

import sys
import sysconfig
from pathlib import Path

from inferno_engine.errors import SetupFailed

SUPPORTED = ((3, 11), (3, 12))
_SYSTEM_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")


def version() -> str:
    """Give the running Python's version as Triton's stubs are named: `3.11`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def shared_library() -> Path:
    """Find the running Python's shared library, `libpython3.11.so.1.0`. Raises SetupFailed."""
    found = problem()
    library = _find()
    if found is not None or library is None:
        raise SetupFailed(found or _unshared())
    return library


def problem() -> str | None:
    """Say in a sentence why this Python can't serve as the engine's, or None if it can."""
    if sys.version_info[:2] not in SUPPORTED:
        return (
            f"This is Python {version()}; the engine needs 3.11 or 3.12 (numpy 1.26.4, which Triton's stub needs, "
            "is made for no later one). Make the environment again with one of these."
        )
    return _unshared() if _find() is None else None


def _unshared() -> str:
    return (
        f"Python {version()} ({sys.base_prefix}) has no shared library libpython{version()}.so.1.0, which Triton's "
        f"stub links. Install one (Debian: libpython{version()}), or build Python with --enable-shared "
        "(pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared)."
    )


def _find() -> Path | None:
    name = f"libpython{version()}.so.1.0"
    folders = [sysconfig.get_config_var("LIBDIR"), f"{sys.base_prefix}/lib", *_SYSTEM_FOLDERS]
    return next((Path(folder, name) for folder in folders if folder and Path(folder, name).is_file()), None)
