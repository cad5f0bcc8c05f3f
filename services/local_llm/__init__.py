"""The embedded stand-in for an LLM endpoint: a small sentence encoder and a rater built on it."""
