"""The embedded stack on one machine: start, supervise, stop."""
