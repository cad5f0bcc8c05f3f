"""The embedded stand-in for a language model."""
