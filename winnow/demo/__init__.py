"""The demo: one real run over HTTP on a fresh stack, and an honest account of what it did."""
