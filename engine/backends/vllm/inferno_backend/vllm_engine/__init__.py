"""Drives vLLM: its core by steps, its serving layer by hand. `engine` has the engine of the seam.

The core's own processes import modules of this package too, so nothing is imported here.
"""
