"""The `inferno` command and the composition roots of all processes."""
