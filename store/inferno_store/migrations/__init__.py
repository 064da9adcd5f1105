"""The migrations of each database: one folder a database, run by `inferno_store.migration`."""
