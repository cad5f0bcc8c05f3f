"""One stage, one file: from what earlier stages left to figures, files and rows."""
