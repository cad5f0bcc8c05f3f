"""All SQL lives here, one file a noun."""
