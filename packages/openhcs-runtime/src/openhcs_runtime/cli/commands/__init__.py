"""One module a command: what can be typed, and what it does.

typer reads only the signatures, so that help and version load nothing else: what a command needs is imported when it
runs, where Ctrl-C does not break an import off.
"""
