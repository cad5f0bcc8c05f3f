"""Winnow's services: each a process, none imports another."""
