"""A server that speaks Ollama's HTTP API and is no language model: it follows a script, or a small fixed policy."""

from agent_runtime.llm.scripted.server import ScriptedServer

__all__ = ["ScriptedServer"]
