"""A small synchronous client of the Winnow API."""

from winnow_client.client import Client
from winnow_client.errors import ApiError, ConnectionFailedError, JobFailedError, WinnowError

__all__ = ["ApiError", "Client", "ConnectionFailedError", "JobFailedError", "WinnowError"]
