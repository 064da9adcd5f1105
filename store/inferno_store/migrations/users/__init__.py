"""Database `users`: organisations, projects, keys."""
