"""HTTP clients: ours for the call path (`aiohttp`), and transports for the user's own (`httpx`, `requests`)."""
