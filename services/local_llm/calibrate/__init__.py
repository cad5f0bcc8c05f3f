"""Derives the rater's centres and cuts again from rated pairs, and says how good they are."""
