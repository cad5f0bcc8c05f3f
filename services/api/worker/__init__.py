"""The api's background process: imports, purges and the timer."""
