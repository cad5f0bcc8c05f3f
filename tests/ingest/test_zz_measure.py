import threading, time, resource, random
from uuid import UUID
import pytest
from services.api.ingest import spool, child
from services.api.worker import perform_import as p
from services.api.worker.settle_import import admit, settle
from services.shared.settings import settings


def test_measure(shop, place):
    d = random.Random(1)
    body = b"user_id,item_id,type,value,timestamp\n" + b"".join(
        b"u%d,i%d,rating,%d,%d\n"
        % (d.randrange(60000), d.randrange(40000), d.randrange(1, 6), 1600000000 + n)
        for n in range(1_000_000)
    )
    t = time.perf_counter()
    a = shop.send(body)
    up = time.perf_counter() - t
    assert a.status_code == 202, a.text
    job = UUID(a.json()["id"])
    (n,) = [x.name for x in spool.folder().glob(f"*_{job}")]
    c = admit(job, project_id=spool.owner_of(n)[0])
    t0 = time.perf_counter()
    real = child.run

    def run(*a, **k):
        o = real(*a, **k)
        print(
            "PARSE",
            time.perf_counter() - t0,
            o.accepted,
            o.duplicates,
            "child peak MB",
            resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
            "cpu",
            resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime,
        )
        return o

    p.child.run = run
    p._bring_in(c, lambda: None)
    print(
        "ALL",
        time.perf_counter() - t0,
        "UPLOAD",
        up,
        len(body) / 1e6,
        "MB",
        "parent peak",
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    settle(c, None)
    print(shop.job(str(job))["result"])
