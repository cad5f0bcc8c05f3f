"""The demo from the first call to the last table, on any API that is up."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from winnow.demo import drive, remarks, render
from winnow.demo.caught import account, rated_by_stand_in, read_truth
from winnow.demo.choices import TOP, flagged, most_changed, most_flagged_users
from winnow.demo.failures import DemoError
from winnow.demo.peers import Row, peers, shop_for_bench
from winnow.demo.progress import Watch, duration
from winnow.demo.sources import Source
from winnow_client import Client

FitPeers = Callable[[Path], list[Row]]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the person may go on with while the stack stays up."""

    project_id: str
    key: str
    dataset_id: str
    user_id: str


def tell(
    console: Console,
    *,
    api_url: str,
    operator_key: str,
    source: Source,
    seed: int,
    scratch: Path,
    fit_peers: FitPeers = peers,
) -> Told:
    """Upload, run and show the results; `scratch` is a folder for what the peers read."""
    access = drive.new_access(api_url, operator_key, name=f"demo {uuid.uuid4().hex[:8]}")
    with Client(api_url, access.key) as client:
        dataset_id = _upload(console, client, source, seed=seed)
        with Watch(console) as watch:
            job = drive.run(client, dataset_id, source, seed=seed, show=watch.show)
        card = drive.card_of(client, job)
        console.print(render.stages_table(job))
        console.print(render.metrics_table(card))
        _say(console, remarks.metric_notes(card, generated=source.truth is not None))
        user_id = _show_verdicts(console, client, source, dataset_id, card)
    _show_peers(console, source, card, scratch, fit_peers)
    return Told(
        project_id=access.project_id, key=access.key, dataset_id=dataset_id, user_id=user_id
    )


def _upload(console: Console, client: Client, source: Source, *, seed: int) -> str:
    dataset_id = drive.new_dataset(client, name=source.name, seed=seed)
    for upload in source.uploads:
        job = drive.bring_in(client, dataset_id, upload)
        counts = job.get("result") or {}
        told = ", ".join(
            f"{counts[name]:,} {name}"
            for name in ("accepted", "duplicates", "rejected")
            if isinstance(counts.get(name), int)
        )
        console.print(f"Uploaded {upload.kind}: {told or 'done'}.", highlight=False)
    return dataset_id


def _show_verdicts(
    console: Console, client: Client, source: Source, dataset_id: str, card: drive.Json
) -> str:
    """Show the noise report, what was flagged and one user's lists; return that user's id."""
    run_id, model_id = card["run_id"], card["id"]
    verdicts = list(client.verdicts(dataset_id, run=run_id))
    truth = read_truth(source.truth) if source.truth else {}
    _say(console, remarks.report_lines(client.noise_report(dataset_id, run=run_id), card))
    for verdict, count, title in (
        ("noise", 5, "Five flagged interactions"),
        ("hard", 2, "Suspected, and kept as hard positives"),
    ):
        rows = flagged(verdicts, verdict, count=count)
        if rows:
            console.print(render.flagged_table(rows, source.titles, truth, title))
    if truth:
        catch = account(truth, verdicts)
        console.print(render.catch_table(catch))
        _say(console, remarks.catch_notes(catch, stand_in=rated_by_stand_in(verdicts)))
    return _show_lists(console, client, source, dataset_id, model_id, most_flagged_users(verdicts))


def _show_lists(
    console: Console,
    client: Client,
    source: Source,
    dataset_id: str,
    model_id: str,
    users: list[str],
) -> str:
    def top(user: str, graph: str) -> tuple[str, ...]:
        answer = client.recommendations(dataset_id, user, k=TOP, graph=graph, model=model_id)
        return tuple(item["item_id"] for item in answer["items"])

    lists = most_changed(users, top)
    if lists is None:
        raise DemoError("No pair was rated: there is nothing to show.")
    console.print(render.side_by_side_table(lists, source.titles))
    _say(console, render.legend(lists))
    return lists.user_id


def _show_peers(
    console: Console, source: Source, card: drive.Json, scratch: Path, fit_peers: FitPeers
) -> None:
    """Show the peers; where their bench cannot run, say so and go on."""
    try:
        data = shop_for_bench(source.folder, scratch) if source.truth else source.folder
        with console.status("Fitting the peers on the same split"):
            rows = fit_peers(data)
    except DemoError as error:
        console.print(f"No peers to show. {error}", markup=False, highlight=False)
        return
    console.print(render.peers_table(rows, card))
    _say(console, remarks.peer_notes(rows, card))


def _say(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False)


def farewell(api_url: str, told: Told, *, keep: bool) -> list[str]:
    """Return where the docs are, the key, and three calls to paste, if the stack stays up."""
    if not keep:
        return ["KEEP=1 keeps it up and prints a key and three curl lines."]
    curls = render.curl_lines(
        api_url, key=told.key, dataset_id=told.dataset_id, user_id=told.user_id
    )
    return [
        f"API docs: {api_url}/docs",
        f"Throw-away key: {told.key}",
        f"It may read and write in the project {told.project_id}.",
        "Three calls to try (until Ctrl-C):",
        *curls,
    ]


def price(seconds: float, peak_bytes: int) -> str:
    """Return what the demo took."""
    return f"Took {duration(seconds)} and at most {peak_bytes / 2**30:.2f} GiB (summed PSS)."
