"""The steps from a log of events to a fixed, indexed, split graph with texts."""
