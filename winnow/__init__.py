"""The command line and the embedded stack's process manager."""
