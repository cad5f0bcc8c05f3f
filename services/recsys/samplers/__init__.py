"""Samplers draw negatives: items a user has not taken."""
