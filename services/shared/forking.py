"""Sockets and engines are made after the fork, never inherited: import this in a worker's app."""

from celery.signals import worker_process_init

from services.shared.celery import sender
from services.shared.db.session import forget_engines


def _after_fork(**_: object) -> None:
    forget_engines()
    sender.cache_clear()


worker_process_init.connect(_after_fork, weak=False)
