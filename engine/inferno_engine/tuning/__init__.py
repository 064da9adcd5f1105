"""Finds the engine's settings that are fastest on this machine, among those that say what they should."""
