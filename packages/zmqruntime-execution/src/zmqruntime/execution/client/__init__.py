"""The execution client, blocking and for asyncio."""
