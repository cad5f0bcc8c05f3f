"""What the services share: rows, queues, settings."""
