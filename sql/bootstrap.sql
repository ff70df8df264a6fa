-- Installs agent-runtime into a Postgres database: everything, in this order, in one transaction.
--
--   psql -v ON_ERROR_STOP=1 -f sql/bootstrap.sql "$DATABASE_URL"
--   agent-runtime db apply                     the same files in the same order
--   agent-runtime db print > install.sql       one file, for the Supabase SQL editor
--
-- Run it as the role that is to own the tables: `postgres` on Supabase, which is not a superuser. Running it again changes
-- nothing, and never overwrites what an admin changed. On a plain Postgres the prelude makes what Supabase would have made.

begin;
set local client_min_messages = warning;
set local search_path = public, pg_temp;
-- One installer at a time.
do $$ begin perform pg_advisory_xact_lock(4200); end $$;

\ir local/prelude.sql

\ir schema/foundation.sql
\ir schema/tenants.sql
\ir schema/users.sql
\ir schema/agents.sql
\ir schema/conversations.sql
\ir schema/workers.sql
\ir schema/tasks.sql
\ir schema/messages.sql
\ir schema/tools.sql
\ir schema/tool_executions.sql
\ir schema/children.sql
\ir schema/files.sql
\ir schema/system_config.sql
\ir schema/task_events.sql
\ir schema/execution_decisions.sql
\ir schema/acting.sql
\ir schema/invitations.sql
\ir schema/credentials.sql

\ir migrations/version_2.sql
\ir migrations/version_3.sql
\ir migrations/version_4.sql
\ir migrations/version_5.sql
-- Where version 3 has put the audit of a version before aside.
\ir schema/audit_logs.sql
\ir schema/audit_chain.sql

\ir functions/identity.sql
\ir functions/config.sql
\ir functions/json.sql
\ir functions/ledger.sql
\ir functions/children.sql
\ir functions/worker_life.sql
\ir functions/worker_claim.sql
\ir functions/worker_steps.sql
\ir functions/worker_end.sql
\ir functions/worker_files.sql
\ir functions/limits.sql
\ir functions/approvals.sql
\ir functions/taint.sql
\ir functions/person.sql
\ir functions/search.sql
\ir functions/tenancy.sql
\ir functions/audit.sql
\ir functions/audit_mask.sql
\ir functions/audit_months.sql
\ir functions/audit_check.sql
\ir functions/vault.sql
\ir functions/database_tools.sql
\ir functions/names.sql
\ir functions/operator.sql
\ir functions/allow_hosts.sql
\ir functions/agents.sql
\ir functions/trial.sql
\ir functions/connect.sql
\ir functions/health.sql
\ir functions/live.sql

\ir migrations/version_3_audit.sql

\ir triggers/updated_at.sql
\ir triggers/sign_up.sql
\ir triggers/ownership.sql
\ir triggers/owner_hints.sql
\ir triggers/state.sql
\ir triggers/append_only.sql
\ir triggers/limits.sql
\ir triggers/taint.sql
\ir triggers/allow_hosts.sql
\ir triggers/connect.sql
\ir triggers/search.sql
\ir triggers/timeline.sql
\ir triggers/notify.sql
\ir triggers/usage.sql
\ir triggers/children.sql
\ir triggers/audit.sql
\ir triggers/realtime.sql

\ir views/conversation_details.sql
\ir views/tool_statistics.sql
\ir views/current_files.sql
\ir views/task_overview.sql
\ir views/waiting_executions.sql
-- It returns rows of a view.
\ir functions/search_tasks.sql

\ir policies/grants.sql
\ir policies/tenants.sql
\ir policies/users.sql
\ir policies/agents.sql
\ir policies/conversations.sql
\ir policies/messages.sql
\ir policies/tasks.sql
\ir policies/task_events.sql
\ir policies/tools.sql
\ir policies/tool_executions.sql
\ir policies/execution_decisions.sql
\ir policies/files.sql
\ir policies/system_config.sql
\ir policies/audit_logs.sql
\ir policies/workers.sql
\ir policies/storage.sql
\ir policies/tenancy.sql
\ir policies/audit.sql
\ir policies/vault.sql
\ir policies/database_tools.sql
\ir policies/search.sql
\ir policies/operator.sql
\ir policies/allow_hosts.sql
\ir policies/connect.sql
\ir policies/screens.sql
\ir policies/health.sql
\ir policies/live.sql
\ir policies/children.sql
\ir policies/realtime.sql

\ir seed/system_config.sql
\ir seed/tools.sql
\ir seed/agents.sql
\ir seed/profiles.sql
\ir seed/storage.sql

commit;
