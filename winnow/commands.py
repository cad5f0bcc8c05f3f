"""The commands themselves: up, down, status, logs, demo, project and keys."""

import time
from pathlib import Path
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table

from winnow.errors import ProcessFailedError
from winnow.interruption import noticed
from winnow.rest import Rest
from winnow.stack import DEFAULT_HOME, Endpoints, Stack

MIB = 2**20
API_PORT = 8080  # as `python -m services.api` has it
ROLES = ("admin", "write", "read")


def _project_id(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    try:
        return None if value is None else str(UUID(value))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no project's id: give the one that `winnow project create` printed."
        ) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="WINNOW_HOME",
    default=DEFAULT_HOME,
    show_default=True,
    help="The stack's private folder.",
)
@click.version_option(package_name="winnow")
@click.pass_context
def winnow(context: click.Context, home: Path) -> None:
    """Denoised recommendations from interaction logs and text profiles."""
    context.obj = Stack(home, first_api_port=API_PORT, tell=click.echo)


@winnow.command()
@click.option("--foreground", is_flag=True, help="Stay, and end everything on Ctrl-C.")
@click.pass_obj
def up(stack: Stack, *, foreground: bool) -> None:
    """Start whatever does not run yet; safe to repeat."""
    endpoints = stack.up()
    _tell_endpoints(stack, endpoints)
    if foreground:
        _stay(stack)


@winnow.command()
@click.pass_obj
def down(stack: Stack) -> None:
    """End what `up` started, and nothing else."""
    ended = stack.down()
    click.echo(f"ended {', '.join(ended)}" if ended else "nothing is running")


@winnow.command()
@click.pass_obj
def status(stack: Stack) -> None:
    """Show each process: whether it runs, where, since when, with how much memory (PSS)."""
    table = Table("process", "state", "pid", "port", "since", "MiB (PSS)")
    for process in stack.status():
        since = "" if process.since is None else f"{process.since:%Y-%m-%d %H:%M:%S} UTC"
        memory = f"{process.pss_bytes / MIB:.0f}" if process.pss_bytes else ""
        cells = (process.state, process.pid or "", process.port or "", since, memory)
        table.add_row(process.name, *map(str, cells))
    Console().print(table)
    if stack.is_serving:
        click.echo(f"api at {stack.api_url}")


@winnow.command()
@click.argument("name", required=False)
@click.option("--lines", default=100, show_default=True, help="How many, from the end.")
@click.pass_obj
def logs(stack: Stack, name: str | None, lines: int) -> None:
    """Show the end of one process' log, or a few lines of each."""
    if name is not None:
        click.echo(stack.logs(name, lines=lines))
        return
    for path in stack.home.logs():
        click.echo(f"== {path}\n{stack.logs(path.stem, lines=min(lines, 5))}")


@winnow.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def demo(arguments: tuple[str, ...]) -> None:
    """Run the whole way once on generated or given data, and show what came of it."""
    from winnow.demo.__main__ import main  # noqa: PLC0415 - the other commands start faster so

    main.main(list(arguments), prog_name="winnow demo")


@winnow.group()
def project() -> None:
    """Projects: each owns its data sets and keys."""


@project.command("create")
@click.argument("name")
@click.pass_obj
def create_project(stack: Stack, name: str) -> None:
    """Create a project and print its id."""
    click.echo(_operator(stack).create_project(name)["id"])


@winnow.group()
def keys() -> None:
    """Keys of a project's applications."""


@keys.command("create")
@click.option(
    "--project", "project_id", required=True, callback=_project_id, help="The project's id."
)
@click.option("--role", type=click.Choice(ROLES), default="read", show_default=True)
@click.option("--name", default="cli", show_default=True)
@click.pass_obj
def create_key(stack: Stack, project_id: str, role: str, name: str) -> None:
    """Create a key and print it: it is shown this once."""
    created = _operator(stack).create_key(project_id=project_id, name=name, role=role)
    click.echo(created["key"])


@keys.command("revoke")
@click.argument("prefix_or_id")
@click.option(
    "--project",
    "project_id",
    callback=_project_id,
    help="The project's id, where a key is named by its id.",
)
@click.pass_obj
def revoke_key(stack: Stack, prefix_or_id: str, project_id: str | None) -> None:
    """Revoke a key, named by its prefix, or by its id and --project."""
    _operator(stack).revoke_key(prefix_or_id, project_id=project_id)
    click.echo("revoked; it stops working everywhere within five seconds")


def _operator(stack: Stack) -> Rest:
    return Rest(stack.api_url, operator_key=stack.operator_key)


def _tell_endpoints(stack: Stack, endpoints: Endpoints) -> None:
    click.echo(f"api        {endpoints.api_url}  (documentation: {endpoints.api_url}/docs)")
    click.echo(f"llm        {endpoints.llm_url}")
    click.echo(f"state      {stack.home.folder}")
    click.echo("next       winnow project create NAME, winnow status, winnow down")


def _stay(stack: Stack) -> None:
    click.echo("Ctrl-C ends everything.")
    died: list[str] = []
    with noticed() as interruption:
        while not interruption.asked and not died:
            time.sleep(0.5)
            died = stack.died()
        click.echo("stopping ...")
        stack.down()
        click.echo("stopped")
    if died:
        names = " and ".join(died)
        raise ProcessFailedError(f"{names} ended unasked: see `winnow logs {died[0]}`.")
