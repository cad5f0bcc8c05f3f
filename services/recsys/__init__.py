"""The recommender's science: no HTTP, no SQL, no queue."""
