"""Every queue is drained by one process of the stack: else work would wait for ever."""

import re
from pathlib import Path

import pytest

from services.shared.queues import QUEUE_OF, Queue, Task
from winnow.plan import SERVICES

ROOT = Path(__file__).resolve().parents[2]
WORKERS = {
    service.name: ROOT.joinpath(*service.command[2].split("."), "app.py").read_text("utf-8")
    for service in SERVICES
    if service.port is None
}


@pytest.mark.parametrize("queue", list(Queue))
def test_every_queue_has_its_process(queue: Queue) -> None:
    named = re.compile(rf'\bQueue\.{queue.name}\b|"(\w+,)*{queue.value}(,\w+)*"')
    assert len([name for name, text in WORKERS.items() if named.search(text)]) == 1


def test_every_task_waits_in_a_queue() -> None:
    assert QUEUE_OF.keys() == set(Task)
