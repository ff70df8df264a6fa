"""Importing this module registers every command, in the order in which --help lists them."""

from __future__ import annotations

from agent_runtime.cli import model_server as model_server
