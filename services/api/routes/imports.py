"""Imports: a file is received, then brought in by a job."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from services.api import idempotency
from services.api.deps import LiveDataset, Reader, Unit, Uuid, Writer, uuid_or_404
from services.api.idempotency import KeyHeader
from services.api.ingest import reports, spool
from services.api.ingest.columns import KINDS
from services.api.ingest.upload import Announced, receive
from services.api.paging import Paged, cut, moment_place
from services.api.schemas.imports import MAP, ImportAnswer, ImportQuery, Imports
from services.api.schemas.jobs import JobAnswer
from services.api.strict import StrictRoute
from services.api.use_cases.describe_job import describe_job
from services.api.use_cases.start_import import Received, start_import
from services.shared.db.repos import datasets, imports
from services.shared.db.session import unit_of_work
from services.shared.errors import MalformedError
from services.shared.ids import new_id

router = APIRouter(prefix="/v1/datasets/{dataset}", tags=["imports"])
_reading = APIRouter(route_class=StrictRoute)


@dataclass
class Upload:
    """A received file and the hash of the request that brought it.

    `committing` says that the request's transaction has nothing left to do but to commit.
    """

    received: Received
    request_sha256: bytes
    committing: bool = False


async def get_upload(
    request: Request, dataset: Uuid, project: Writer, query: Annotated[ImportQuery, Query()]
) -> AsyncIterator[Upload]:
    """Yield the spooled file; it is removed unless the request's transaction commits.

    No transaction is open while the body comes. Where the answer to the commit is lost, the file
    stays: the cleaning removes it if no import waits for it.
    """
    announced = Announced.read(
        request.headers,
        kind=query.kind,
        named_format=query.format,
        mapping=query.columns(),
        preset=query.mapping,
        ignore_unknown=query.ignore_unknown,
    )

    def check_dataset() -> None:
        with unit_of_work(project) as session:
            datasets.live(session, uuid_or_404("dataset", dataset))

    await run_in_threadpool(check_dataset)
    import_id = new_id()
    try:
        spooled = await receive(
            request.stream(), announced, project_id=project, import_id=import_id
        )
    except ClientDisconnect:
        raise MalformedError("The upload was cut off.", code="TRUNCATED") from None
    line = f"POST {request.scope['path']}?{request.url.query}\n".encode()
    received = Received(
        import_id=import_id,
        kind=announced.kind,
        options={**announced.options.to_json(), "validate_only": query.validate_only},
        spool_name=spooled.path.name,
        size=spooled.size,
        sha256=spooled.sha256,
    )
    upload = Upload(received, hashlib.sha256(line + spooled.sha256).digest())
    try:
        yield upload
    except BaseException:
        if not upload.committing:
            spool.remove(spooled.path)
        raise


_COLUMNS = sorted({column for kind in KINDS.values() for column in kind.columns})
_FILE = {"schema": {"type": "string", "format": "binary"}}
_DOCUMENT: dict[str, Any] = {
    "parameters": [
        {
            "name": f"{MAP}{column}",
            "in": "query",
            "required": False,
            "description": f"the file's header for {column}",
            "schema": {"type": "string", "minLength": 1},
        }
        for column in _COLUMNS
    ],
    "requestBody": {
        "required": True,
        "description": "the file; CSV and NDJSON plain or with Content-Encoding: gzip or zstd",
        "content": {
            "text/csv": {**_FILE, "example": "user_id,item_id,value\nu1,i1,5\n"},
            "application/x-ndjson": {**_FILE, "example": '{"user_id":"u1","item_id":"i1"}\n'},
            "application/vnd.apache.parquet": _FILE,
        },
    },
}


@router.post("/imports", status_code=202, response_model=JobAnswer, openapi_extra=_DOCUMENT)
def import_file(
    upload: Annotated[Upload, Depends(get_upload, scope="function")],
    project: Writer,
    session: Unit,
    dataset: LiveDataset,
    key: KeyHeader = None,
) -> Response:
    """Receive a file of interactions, users or items; a job brings it in, whole or not at all.

    With validate_only=true the job parses and reports all the same, and nothing becomes visible.
    """
    once = idempotency.begin(session, project, key, upload.request_sha256)
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    job = start_import(session, dataset, upload.received, request_id=request_id)
    body = JobAnswer.model_validate(describe_job(session, job))
    answer = once.answer(202, body, headers={"Location": f"/v1/jobs/{job.id}"})
    upload.committing = True
    return answer


@_reading.get("/imports")
def list_imports(_project: Reader, session: Unit, dataset: LiveDataset, page: Paged) -> Imports:
    """List the dataset's imports, newest first."""
    rows = imports.page(session, dataset.id, size=page.size, after=moment_place(page))
    return Imports(
        imports=[ImportAnswer.model_validate(row) for row in rows[: page.size]],
        next_page_token=cut(rows, page, lambda row: (row.created_at, row.id)),
    )


@_reading.get(
    "/imports/{import_id}/errors",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}}, "description": "one a line"}},
)
def list_import_errors(
    import_id: Uuid, _project: Reader, session: Unit, dataset: LiveDataset
) -> Response:
    """Stream every rejected line: its number, a code, a sentence and a sample."""
    row = imports.get(session, uuid_or_404("import", import_id), dataset_id=dataset.id)
    blocks = iter(()) if row.errors_path is None else reports.read(row.errors_path)
    return StreamingResponse(blocks, media_type="application/x-ndjson")


router.include_router(_reading)
