"""Asks the language model and keeps what it answers."""
