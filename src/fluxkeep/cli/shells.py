"""Scripts that complete a command's words in a shell.

Each asks the command itself, by way of an environment variable, so that a
script stays right when commands and flags are added.

Source: cli.md §3.5, §5.1.
"""

from __future__ import annotations

import click

_POWERSHELL = """Register-ArgumentCompleter -Native -CommandName {program} -ScriptBlock {{
    param($word, $ast, $position)
    $env:{variable} = "bash_complete"
    $env:COMP_WORDS = "$ast"
    $env:COMP_CWORD = if ($word) {{ $ast.CommandElements.Count - 1 }} else {{ $ast.CommandElements.Count }}
    {program} | ForEach-Object {{ ($_ -split ',', 2)[1] }} | ForEach-Object {{
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }}
    Remove-Item Env:{variable}, Env:COMP_WORDS, Env:COMP_CWORD
}}
"""


def script(root: click.Command, shell: str) -> str:
    """The script for `bash`, `zsh`, `fish` or `powershell`."""
    from click.shell_completion import get_completion_class

    program = str(root.name)
    variable = f"_{program.upper()}_COMPLETE"
    if shell == "powershell":
        return _POWERSHELL.format(program=program, variable=variable)
    maker = get_completion_class(shell)
    assert maker is not None
    # Its `source` runs bash to ask for its version; the script is the same for all that are in use.
    made = maker(root, {}, program, variable)
    return made.source_template % made.source_vars()
