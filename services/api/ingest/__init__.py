"""Uploads on their way in: spooled, sniffed, parsed in a limited process; no HTTP, no SQL."""
