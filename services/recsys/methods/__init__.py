"""One paper, one file: a Config in its symbols and a Method with its loss."""
