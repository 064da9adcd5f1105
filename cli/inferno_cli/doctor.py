"""`inferno doctor`: whether this machine can run a stack, and what to do where it can't."""

import sys

from rich.console import Console
from rich.table import Table

from inferno_cli.configuration import read_settings
from inferno_local.checks import CHECKS


def doctor() -> None:
    """Check Python, disk, memory, ports and what else a stack needs; exit code 1 if something is in the way."""
    settings = read_settings()
    findings = [check(settings) for check in CHECKS]
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        mark = "[green]ok[/]" if finding.well else "[red]no[/]"
        table.add_row(mark, finding.what, finding.said)
    Console(highlight=False).print(table)
    if not all(finding.well for finding in findings):
        sys.exit(1)
