"""Tiny processes in the services' place: they listen, connect and end as the real ones do."""

import sys
from dataclasses import replace
from pathlib import Path

from winnow.plan import SERVICES, Plan

LISTENER = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write("\\n".join(sorted(n for n in os.environ if "WINNOW" in n)).encode())
port = int(os.environ[sys.argv[1]])
print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""

WORKER = """
import os, socket, subprocess, sys, time
from urllib.parse import urlsplit
link = socket.create_connection(("127.0.0.1", urlsplit(os.environ["WINNOW_REDIS_URL"]).port))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
time.sleep(600)
"""


def stand_in_plan(**programs: str) -> Plan:
    """Return a plan with stand-ins; a keyword puts another program in one service's place."""
    services = tuple(
        replace(service, command=(sys.executable, "-c", *_program(service.name, service.port)))
        for service in SERVICES
    )
    changed = {
        name.replace("_worker", "-worker") if name == "api_worker" else name: program
        for name, program in programs.items()
    }
    return Plan(
        services=tuple(
            replace(service, command=(sys.executable, "-c", changed[service.name]))
            if service.name in changed
            else service
            for service in services
        ),
        migrations=((sys.executable, "-c", "print('migrated')", "upgrade"),),
        patience=15.0,
        grace=3.0,
    )


def child_of(log: Path) -> int:
    """Return the pid of the child that a stand-in worker told in its log."""
    return int(log.read_text(encoding="utf-8").split("child ")[-1].split()[0])


def _program(name: str, port: str | None) -> tuple[str, ...]:
    return (WORKER, name) if port is None else (LISTENER, port)
