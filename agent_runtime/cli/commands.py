"""Importing this module registers every command, in the order in which --help lists them."""

from __future__ import annotations

from agent_runtime.cli import access as access
from agent_runtime.cli import agents as agents
from agent_runtime.cli import approvals as approvals
from agent_runtime.cli import audit as audit
from agent_runtime.cli import children as children
from agent_runtime.cli import config as config
from agent_runtime.cli import db as db
from agent_runtime.cli import decide as decide
from agent_runtime.cli import demo as demo
from agent_runtime.cli import doctor as doctor
from agent_runtime.cli import files as files
from agent_runtime.cli import health as health
from agent_runtime.cli import login as login
from agent_runtime.cli import members as members
from agent_runtime.cli import model_server as model_server
from agent_runtime.cli import run as run
from agent_runtime.cli import serve as serve
from agent_runtime.cli import submit as submit
from agent_runtime.cli import tasks as tasks
from agent_runtime.cli import tenants as tenants
from agent_runtime.cli import tools as tools
from agent_runtime.cli import tools_own as tools_own
from agent_runtime.cli import up as up
from agent_runtime.cli import vault as vault
from agent_runtime.cli import watch as watch
from agent_runtime.cli import workers as workers
