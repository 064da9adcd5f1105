"""Where Triton enters the backend: it imports this file and looks for `TritonPythonModel`."""

from inferno_backend.adapter import TritonPythonModel

__all__ = ["TritonPythonModel"]
