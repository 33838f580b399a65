"""List the commands in groups, each with its whole first sentence: typer's own list cuts sentences at 80 columns."""

from typing import Any

from typer.core import TyperGroup

GROUPS = {  # by the module of a command
    "retraining": "Train",
    "configs": "Begin with a text",
    "runs": "Find and read runs",
    "vectors": "Use vectors",
    "models": "Decide which model is in use",
    "workspace": "Look after the workspace",
    "service": "Run each night",
}


class Grouped(TyperGroup):
    """The group of all commands, whose help has a heading for each module of commands."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands by group, in the order of GROUPS."""
        for module, title in GROUPS.items():
            rows = [
                (name, (command.help or "").partition("\n\n")[0].replace("\n", " "))
                for name, command in self.commands.items()
                if command.callback and command.callback.__module__.endswith(f".{module}")
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
