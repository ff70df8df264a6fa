"""Tools that a row of the `tools` table makes: requests, commands, programs, and servers of tools (MCP)."""
