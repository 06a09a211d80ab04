"""`memcubed doctor`."""

from typing import Annotated

import typer

from memcubed.commands.connected import with_service
from memcubed.commands.printable import printable
from memcubed.doctor.schemas import ReportData
from memcubed.doctor.text import report_lines


def doctor(
    project: Annotated[str | None, typer.Option(help="Only the project of this name.")] = None,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Put in order what can be, or back on the queue.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Say whether everything accepted came to an end, and what is out of order. Ends with 1 when something is."""
    report = with_service(lambda service: service.doctor.examine(project, repair=repair))
    if as_json:
        typer.echo(ReportData.of(report).model_dump_json(indent=2))
    else:
        for line in report_lines(report):
            typer.echo(printable(line))
    if not report.is_clean:
        raise typer.Exit(1)
