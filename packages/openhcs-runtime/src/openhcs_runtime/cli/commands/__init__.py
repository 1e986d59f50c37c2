"""One module a command: what can be typed, and what it does.

Help only reads the signatures, so that it loads nothing else: what a command needs is imported when it runs, where
Ctrl-C does not break an import off.
"""
