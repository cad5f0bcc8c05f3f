"""Rows and the way to them."""
