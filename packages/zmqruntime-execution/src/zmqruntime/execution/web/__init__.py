"""A page to look at servers and their executions in a browser; needs the extra ``web``.

``zmqruntime web`` serves it. It reads what servers say, and what those that have ended left on disk; it never starts or
ends one. Other packages add panels, see ``extensions``.
"""
