"""A small client for Winnow's HTTP API."""
