"""What the api decides: one file a verb, no HTTP inside."""
