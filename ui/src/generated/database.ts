// Made by `make types` from the database that sql/ makes. Change that, not this.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  public: {
    Tables: {
      agents: {
        Row: {
          configuration: Json
          created_at: string
          created_by: string | null
          description: string | null
          id: string
          is_active: boolean
          is_public: boolean
          max_tokens: number
          memory_enabled: boolean
          memory_limit: number
          /** A model of the model server, or 'default' for the configuration's default_model. */
          model_name: string
          name: string
          /** What a tainted task may send where without asking: [{"tool", "destination", "bound"}]. An admin's to give. */
          outward_permissions: Json
          /** Dangerous tools that this agent may use without asking; a tool with requires_confirmation asks all the same. */
          standing_permissions: string[]
          system_prompt: string
          temperature: number
          tenant_id: string | null
          tools_enabled: string[]
          updated_at: string
        }
        Insert: {
          configuration?: Json
          created_at?: string
          created_by?: string | null
          description?: string | null
          id?: string
          is_active?: boolean
          is_public?: boolean
          max_tokens?: number
          memory_enabled?: boolean
          memory_limit?: number
          model_name: string
          name: string
          outward_permissions?: Json
          standing_permissions?: string[]
          system_prompt: string
          temperature?: number
          tenant_id?: string | null
          tools_enabled?: string[]
          updated_at?: string
        }
        Update: {
          configuration?: Json
          created_at?: string
          created_by?: string | null
          description?: string | null
          id?: string
          is_active?: boolean
          is_public?: boolean
          max_tokens?: number
          memory_enabled?: boolean
          memory_limit?: number
          model_name?: string
          name?: string
          outward_permissions?: Json
          standing_permissions?: string[]
          system_prompt?: string
          temperature?: number
          tenant_id?: string | null
          tools_enabled?: string[]
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: 'agents_created_by_fkey'
            columns: ['created_by']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'agents_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
        ]
      }
      audit_logs: {
        Row: {
          action: string
          /** user:ID, worker:ID or role:NAME; outlives the user's row. */
          actor: string
          /** Its number in the chain of its tenant, without gaps, from 1. */
          chain_seq: number
          /** When the transaction was about to commit; never before that of the row before it in the chain. */
          created_at: string
          /** sha256 of prev_hash and private.audit_text() of the row. */
          hash: string
          id: string
          ip_address: string | null
          new_values: Json | null
          old_values: Json | null
          /** hash of the row before it in the chain; zeros before the first. */
          prev_hash: string
          resource_id: string | null
          resource_type: string
          /** Of the changed row; no foreign key, because history outlives a tenant. Null: the platform's. */
          tenant_id: string | null
          user_agent: string | null
          user_id: string | null
        }
        Insert: never
        Update: never
        Relationships: [
          {
            foreignKeyName: 'audit_logs_user_id_fkey'
            columns: ['user_id']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
        ]
      }
      conversations: {
        Row: {
          agent_id: string
          created_at: string
          id: string
          /** Everybody in the tenant may read it; only its owner may write. */
          is_shared: boolean
          metadata: Json
          status: 'active' | 'completed' | 'paused' | 'error'
          tenant_id: string
          title: string | null
          updated_at: string
          user_id: string
        }
        Insert: {
          agent_id: string
          created_at?: string
          id?: string
          is_shared?: boolean
          metadata?: Json
          status?: 'active' | 'completed' | 'paused' | 'error'
          tenant_id?: string
          title?: string | null
          updated_at?: string
          user_id: string
        }
        Update: {
          agent_id?: string
          created_at?: string
          id?: string
          is_shared?: boolean
          metadata?: Json
          status?: 'active' | 'completed' | 'paused' | 'error'
          tenant_id?: string
          title?: string | null
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'conversations_agent_id_fkey'
            columns: ['agent_id']
            isOneToOne: false
            referencedRelation: 'agents'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'conversations_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'conversations_user_id_fkey'
            columns: ['user_id']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
        ]
      }
      credentials: {
        Row: {
          category: string
          created_at: string
          created_by: string | null
          id: string
          /** Which master key wraps its data key: a digest, of no use without the key. */
          key_id: string
          last_used_at: string | null
          name: string
          scope: 'global' | 'tenant' | 'user'
          /** Null for global; of a user's credential the user's own tenant, from sign-up. */
          tenant_id: string | null
          updated_at: string
          user_id: string | null
        }
        Insert: never
        Update: never
        Relationships: [
          {
            foreignKeyName: 'credentials_created_by_fkey'
            columns: ['created_by']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'credentials_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'credentials_user_id_fkey'
            columns: ['user_id']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
        ]
      }
      execution_decisions: {
        Row: {
          created_at: string
          execution_id: string
          id: string
          input_digest: string
          reason: string | null
          tenant_id: string
          user_id: string | null
          /** approved or denied before the call; happened or did_not_happen for one that was left in doubt. */
          verdict: 'approved' | 'denied' | 'happened' | 'did_not_happen'
        }
        Insert: never
        Update: never
        Relationships: [
          {
            foreignKeyName: 'execution_decisions_execution_id_fkey'
            columns: ['execution_id']
            isOneToOne: false
            referencedRelation: 'tool_executions'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'execution_decisions_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'execution_decisions_user_id_fkey'
            columns: ['user_id']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
        ]
      }
      files: {
        Row: {
          conversation_id: string | null
          created_at: string
          execution_id: string | null
          expires_at: string | null
          file_hash: string | null
          file_path: string
          file_size: number
          /** Path in the task's workspace. */
          filename: string
          id: string
          is_executable: boolean
          /** False while Storage has not taken the bytes: the worker that made them has them, and sends them when it can. */
          is_stored: boolean
          is_temporary: boolean
          /** removed: a step removed what was there. Only a file has bytes; the file_path of any other kind is empty. */
          kind: 'file' | 'folder' | 'link' | 'removed'
          link_target: string | null
          mime_type: string
          /** As the person named it, or the last part of filename. */
          original_filename: string
          /** Whose the conversation was when the row was written: a short cut for the policies alone. Null in rows from before version 3. */
          owner_id: string | null
          task_id: string | null
          tenant_id: string
          uploaded_by: string | null
          version: number
        }
        Insert: {
          conversation_id?: string | null
          created_at?: string
          execution_id?: string | null
          expires_at?: string | null
          file_hash?: string | null
          file_path: string
          file_size: number
          filename: string
          id?: string
          is_executable?: boolean
          is_stored?: boolean
          is_temporary?: boolean
          kind?: 'file' | 'folder' | 'link' | 'removed'
          link_target?: string | null
          mime_type: string
          original_filename: string
          owner_id?: string | null
          task_id?: string | null
          tenant_id?: string
          uploaded_by?: string | null
          version?: number
        }
        Update: never
        Relationships: [
          {
            foreignKeyName: 'files_conversation_id_fkey'
            columns: ['conversation_id']
            isOneToOne: false
            referencedRelation: 'conversations'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'files_execution_id_fkey'
            columns: ['execution_id']
            isOneToOne: false
            referencedRelation: 'tool_executions'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'files_task_id_fkey'
            columns: ['task_id']
            isOneToOne: false
            referencedRelation: 'tasks'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'files_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'files_uploaded_by_fkey'
            columns: ['uploaded_by']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
        ]
      }
      invitations: {
        Row: {
          accepted_by: string | null
          created_at: string
          decided_at: string | null
          email: string
          expires_at: string
          id: string
          invited_by: string | null
          role: 'admin' | 'user' | 'viewer'
          /** A pending one whose expires_at is over can be accepted no more; it is marked when the address is invited again. */
          status: 'pending' | 'accepted' | 'revoked' | 'expired'
          tenant_id: string
        }
        Insert: never
        Update: never
        Relationships: [
          {
            foreignKeyName: 'invitations_accepted_by_fkey'
            columns: ['accepted_by']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'invitations_invited_by_fkey'
            columns: ['invited_by']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'invitations_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
        ]
      }
      messages: {
        Row: {
          content: string
          conversation_id: string
          created_at: string
          id: string
          /** files, model, thinking, finish, usage, execution_id. */
          metadata: Json
          /** Whose the conversation was when the row was written: a short cut for the policies alone. Null in rows from before version 3. */
          owner_id: string | null
          role: 'user' | 'assistant' | 'system' | 'tool'
          /** Set by the database under the conversation's lock: order of seq is order of commit. */
          seq: number
          task_id: string | null
          tenant_id: string
          tool_call_id: string | null
          tool_calls: Json | null
        }
        Insert: {
          content: string
          conversation_id: string
          created_at?: string
          id?: string
          metadata?: Json
          owner_id?: string | null
          role: 'user' | 'assistant' | 'system' | 'tool'
          seq?: number
          task_id?: string | null
          tenant_id?: string
          tool_call_id?: string | null
          tool_calls?: Json | null
        }
        Update: never
        Relationships: [
          {
            foreignKeyName: 'messages_conversation_id_fkey'
            columns: ['conversation_id']
            isOneToOne: false
            referencedRelation: 'conversations'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'messages_task_id_fkey'
            columns: ['task_id']
            isOneToOne: false
            referencedRelation: 'tasks'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'messages_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
        ]
      }
      system_config: {
        Row: {
          config_key: string
          config_value: Json
          created_at: string
          description: string | null
          id: string
          is_sensitive: boolean
          updated_at: string
          updated_by: string | null
        }
        Insert: never
        Update: never
        Relationships: [
          {
            foreignKeyName: 'system_config_updated_by_fkey'
            columns: ['updated_by']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
        ]
      }
      task_events: {
        Row: {
          created_at: string
          id: number
          kind:
            | 'task.created'
            | 'task.status'
            | 'task.plan'
            | 'task.control'
            | 'task.notice'
            | 'message.created'
            | 'execution.status'
            | 'execution.decision'
            | 'file.created'
            | 'file.removed'
          /** Whose the conversation was when the row was written: a short cut for the policies alone. Null in rows from before version 3. */
          owner_id: string | null
          payload: Json
          task_id: string
          tenant_id: string
        }
        Insert: never
        Update: never
        Relationships: [
          {
            foreignKeyName: 'task_events_task_id_fkey'
            columns: ['task_id']
            isOneToOne: false
            referencedRelation: 'tasks'
            referencedColumns: ['id']
          },
        ]
      }
      tasks: {
        Row: {
          /** How long workers ran it, up to the last claim; since then it is now() - claimed_at more. */
          active_seconds: number
          agent_id: string
          /** Runs that a crash ended. Waiting, releasing and resuming do not count. */
          attempts: number
          cancel_requested_at: string | null
          claimed_at: string | null
          completed_at: string | null
          conversation_id: string
          created_at: string
          current_phase: number
          description: string | null
          error_message: string | null
          id: string
          idempotency_key: string | null
          /** The last lease that was given back in order, and how, so that a repeated call can be answered. */
          last_release: string | null
          lease_expires_at: string | null
          lease_token: string | null
          /** steps, tool_calls, wall_seconds, model_tokens, output_tokens, output_bytes, child_tasks, child_tasks_at_once, child_depth; the tightest of the tenant's, the agent's and these holds. */
          limits: Json
          max_attempts: number
          parent_task_id: string | null
          pause_requested_at: string | null
          /** Array of {"title"}; current_phase counts from 1 and says where the run is. */
          plan: Json
          priority: number
          progress_percentage: number
          result: Json | null
          /** JSON schema of the result that task_complete has to give. */
          result_schema: Json | null
          /** How often in a row it was given back because a service stayed away; a recorded turn sets it to 0. */
          retries: number
          /** Not claimable before this time; of a task that waits for children, until when it waits. Cleared when it comes. */
          run_after: string | null
          /** Title and description for full-text search, in Spanish and English. */
          search: string | null
          /** The call of spawn_tasks whose child it is, also where the item was tried again. */
          spawn_id: string | null
          /** Which item of that call it works on, from 1; the newest task of an item is the one that counts. */
          spawn_item: number | null
          started_at: string | null
          status: 'pending' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled'
          /** What it has read from outside: [{"source", "tool", "step"}], the first 50; an uploaded file has neither tool nor step. */
          taint_sources: Json
          /** It has read something from outside, or from one that has; never unset. */
          tainted: boolean
          tenant_id: string
          title: string
          total_phases: number
          updated_at: string
          /** steps, tool_calls, prompt_tokens, output_tokens, model_seconds, tool_seconds, output_bytes; children: the same of its children. Sums of audited rows, not audited again. */
          usage: Json
          user_id: string
          wait_reason: 'answer' | 'approval' | 'doubt' | 'children' | 'schedule' | null
          worker_id: string | null
        }
        Insert: {
          active_seconds?: number
          agent_id?: string
          attempts?: number
          cancel_requested_at?: string | null
          claimed_at?: string | null
          completed_at?: string | null
          conversation_id: string
          created_at?: string
          current_phase?: number
          description?: string | null
          error_message?: string | null
          id?: string
          idempotency_key?: string | null
          last_release?: string | null
          lease_expires_at?: string | null
          lease_token?: string | null
          limits?: Json
          max_attempts?: number
          parent_task_id?: string | null
          pause_requested_at?: string | null
          plan?: Json
          priority?: number
          progress_percentage?: number
          result?: Json | null
          result_schema?: Json | null
          retries?: number
          run_after?: string | null
          search?: string | null
          spawn_id?: string | null
          spawn_item?: number | null
          started_at?: string | null
          status?: 'pending' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled'
          taint_sources?: Json
          tainted?: boolean
          tenant_id?: string
          title: string
          total_phases?: number
          updated_at?: string
          usage?: Json
          user_id?: string
          wait_reason?: 'answer' | 'approval' | 'doubt' | 'children' | 'schedule' | null
          worker_id?: string | null
        }
        Update: {
          active_seconds?: number
          agent_id?: string
          attempts?: number
          cancel_requested_at?: string | null
          claimed_at?: string | null
          completed_at?: string | null
          conversation_id?: string
          created_at?: string
          current_phase?: number
          description?: string | null
          error_message?: string | null
          id?: string
          idempotency_key?: string | null
          last_release?: string | null
          lease_expires_at?: string | null
          lease_token?: string | null
          limits?: Json
          max_attempts?: number
          parent_task_id?: string | null
          pause_requested_at?: string | null
          plan?: Json
          priority?: number
          progress_percentage?: number
          result?: Json | null
          result_schema?: Json | null
          retries?: number
          run_after?: string | null
          search?: string | null
          spawn_id?: string | null
          spawn_item?: number | null
          started_at?: string | null
          status?: 'pending' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled'
          taint_sources?: Json
          tainted?: boolean
          tenant_id?: string
          title?: string
          total_phases?: number
          updated_at?: string
          usage?: Json
          user_id?: string
          wait_reason?: 'answer' | 'approval' | 'doubt' | 'children' | 'schedule' | null
          worker_id?: string | null
        }
        Relationships: [
          {
            foreignKeyName: 'tasks_agent_id_fkey'
            columns: ['agent_id']
            isOneToOne: false
            referencedRelation: 'agents'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'tasks_conversation_id_fkey'
            columns: ['conversation_id']
            isOneToOne: false
            referencedRelation: 'conversations'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'tasks_parent_task_id_fkey'
            columns: ['parent_task_id']
            isOneToOne: false
            referencedRelation: 'tasks'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'tasks_spawn_id_fkey'
            columns: ['spawn_id']
            isOneToOne: false
            referencedRelation: 'tool_executions'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'tasks_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'tasks_user_id_fkey'
            columns: ['user_id']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'tasks_worker_id_fkey'
            columns: ['worker_id']
            isOneToOne: false
            referencedRelation: 'workers'
            referencedColumns: ['id']
          },
        ]
      }
      tenants: {
        Row: {
          created_at: string
          id: string
          name: string
          settings: Json
          slug: string
          updated_at: string
        }
        Insert: never
        Update: never
        Relationships: []
      }
      tool_executions: {
        Row: {
          /** While it waits: the end of the time to decide. Once approved: the end of the time to start. */
          approval_expires_at: string | null
          /** When the approval was used up by the start of the call. */
          approval_used_at: string | null
          /** So many different people must approve these very arguments first. */
          approvals_needed: number
          call_index: number
          completed_at: string | null
          decided_at: string | null
          decided_by: string | null
          decision_reason: string | null
          error_message: string | null
          execution_time_ms: number | null
          /** Why it needs a person though its tool does not: {"destinations", "sources"}. It goes out of the machine from a tainted task. */
          gate: Json | null
          id: string
          /** SHA-256, in hex, of input_parameters as jsonb prints it. */
          input_digest: string
          input_parameters: Json
          message_id: string | null
          /** What the model asked for, where a person edited it before approving. */
          original_parameters: Json | null
          output_result: Json | null
          /** Whose the conversation was when the row was written: a short cut for the policies alone. Null in rows from before version 3. */
          owner_id: string | null
          started_at: string | null
          status:
            'pending' | 'awaiting_approval' | 'running' | 'completed' | 'failed' | 'denied' | 'in_doubt' | 'cancelled'
          step: number
          task_id: string
          tenant_id: string
          /** The model's own id of the call, unique within one turn only. */
          tool_call_id: string
          tool_id: string
        }
        Insert: never
        Update: never
        Relationships: [
          {
            foreignKeyName: 'tool_executions_decided_by_fkey'
            columns: ['decided_by']
            isOneToOne: false
            referencedRelation: 'users'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'tool_executions_message_id_fkey'
            columns: ['message_id']
            isOneToOne: false
            referencedRelation: 'messages'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'tool_executions_task_id_fkey'
            columns: ['task_id']
            isOneToOne: false
            referencedRelation: 'tasks'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'tool_executions_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'tool_executions_tool_id_fkey'
            columns: ['tool_id']
            isOneToOne: false
            referencedRelation: 'tools'
            referencedColumns: ['id']
          },
        ]
      }
      tools: {
        Row: {
          /** How many different people must approve a call, where it needs approval at all; with 2 the task's owner alone is not enough. */
          approvals_required: number
          category: string
          config: Json
          created_at: string
          description: string
          /** Where an outward call goes: names of the arguments that say so, parted by commas, or = and a text where it is always the same. */
          destination: string | null
          display_name: string
          function_schema: Json
          id: string
          implementation_code: string | null
          implementation_type: 'python' | 'shell' | 'api' | 'builtin' | 'mcp'
          is_enabled: boolean
          name: string
          output_limit_bytes: number
          /** It sends data off the machine, spends, deletes or messages. */
          outward: boolean
          /** Guidance that is added to the system prompt of agents that have the tool. */
          prompt_injection: string | null
          requires_confirmation: boolean
          /** Guidance that is added to the tool's result. */
          response_guide: string | null
          /** What a resumed run may do with a call that a crash left running. */
          retry_class: 'pure' | 'idempotent' | 'keyed' | 'unsafe'
          security_level: 'safe' | 'moderate' | 'dangerous'
          /** Its output comes from outside and is not to be trusted. */
          taints: boolean
          tenant_id: string | null
          timeout_seconds: number
          updated_at: string
          usage_count: number
        }
        Insert: never
        Update: never
        Relationships: [
          {
            foreignKeyName: 'tools_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
        ]
      }
      users: {
        Row: {
          avatar_url: string | null
          created_at: string
          /** An admin of the tenant deactivated the person, and can undo it; what the operator did by SQL, no admin can. */
          deactivated_by_admin: boolean
          email: string
          full_name: string | null
          /** The personal tenant from sign-up. Joining another keeps it and what is in it; leaving leads back to it. */
          home_tenant_id: string
          id: string
          is_active: boolean
          /** May change what belongs to the platform: configuration, tools, the catalogue, tenants' limits. Given and taken by the owner's SQL alone. */
          is_operator: boolean
          /** False for who left a tenant or lost a conversation to somebody else: the policies believe no owner_id of theirs. */
          owner_hints: boolean
          preferences: Json
          role: 'admin' | 'user' | 'viewer'
          /** Where the person works now; what they make belongs to it. */
          tenant_id: string
          updated_at: string
          username: string
        }
        Insert: never
        Update: {
          avatar_url?: string | null
          created_at?: string
          deactivated_by_admin?: boolean
          email?: string
          full_name?: string | null
          home_tenant_id?: string
          id?: string
          is_active?: boolean
          is_operator?: boolean
          owner_hints?: boolean
          preferences?: Json
          role?: 'admin' | 'user' | 'viewer'
          tenant_id?: string
          updated_at?: string
          username?: string
        }
        Relationships: [
          {
            foreignKeyName: 'users_home_tenant_id_fkey'
            columns: ['home_tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'users_tenant_id_fkey'
            columns: ['tenant_id']
            isOneToOne: false
            referencedRelation: 'tenants'
            referencedColumns: ['id']
          },
        ]
      }
      workers: {
        Row: {
          capacity: number
          /** What it knows of its model server, as it told worker_report: {"model_url", "reachable", "version", "stand_in", "models", "model", "error", "sandbox"}. */
          health: Json | null
          health_at: string | null
          heartbeat_at: string
          host: string
          id: string
          /** Whose turn it was last, where several tenants have tasks waiting. */
          last_tenant: string | null
          pid: number
          started_at: string
          stopped_at: string | null
          transport: string
          version: string
        }
        Insert: never
        Update: never
        Relationships: []
      }
    }
    Views: {
      conversation_details: {
        Row: {
          agent_description: string | null
          agent_name: string | null
          created_at: string
          full_name: string | null
          id: string
          message_count: number | null
          status: 'active' | 'completed' | 'paused' | 'error'
          task_count: number | null
          title: string | null
          updated_at: string
          username: string | null
        }
        Relationships: []
      }
      current_files: {
        Row: {
          conversation_id: string | null
          created_at: string
          execution_id: string | null
          expires_at: string | null
          file_hash: string | null
          file_path: string
          file_size: number
          /** Path in the task's workspace. */
          filename: string
          id: string
          /** False while Storage has not taken the bytes: the worker that made them has them, and sends them when it can. */
          is_stored: boolean
          is_temporary: boolean
          mime_type: string
          /** As the person named it, or the last part of filename. */
          original_filename: string
          task_id: string | null
          tenant_id: string
          uploaded_by: string | null
          version: number
        }
        Relationships: []
      }
      task_overview: {
        Row: {
          /** Age counts from here: since when the task is in its status. */
          age_from: string | null
          agent_id: string
          agent_name: string | null
          approvals_waiting: number | null
          cancel_requested_at: string | null
          children_completed: number | null
          /** Items of its calls of spawn_tasks; children_completed: those with a result; children_waiting: tasks of these that wait for a person. */
          children_count: number | null
          children_waiting: number | null
          completed_at: string | null
          conversation_id: string
          created_at: string
          current_phase: number
          current_step: number | null
          error_message: string | null
          files_count: number | null
          id: string
          is_mine: boolean | null
          owner_name: string | null
          parent_task_id: string | null
          pause_requested_at: string | null
          phase_title: string | null
          priority: number
          progress_percentage: number
          /** Not claimable before this time; of a task that waits for children, until when it waits. Cleared when it comes. */
          run_after: string | null
          /** Which item of that call it works on, from 1; the newest task of an item is the one that counts. */
          spawn_item: number | null
          started_at: string | null
          status: 'pending' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled'
          tenant_id: string
          title: string
          total_phases: number
          user_id: string
          wait_reason: 'answer' | 'approval' | 'doubt' | 'children' | 'schedule' | null
        }
        Relationships: []
      }
      tool_statistics: {
        Row: {
          avg_execution_time: number | null
          category: string
          display_name: string
          execution_count: number | null
          failed_executions: number | null
          id: string
          name: string
          successful_executions: number | null
          usage_count: number
        }
        Relationships: []
      }
      waiting_executions: {
        Row: {
          agent_id: string
          agent_name: string | null
          /** While it waits: the end of the time to decide. Once approved: the end of the time to start. */
          approval_expires_at: string | null
          approvals_given: number | null
          /** So many different people must approve these very arguments first. */
          approvals_needed: number
          approved_by_me: boolean | null
          arguments: Json
          asked_at: string | null
          call_index: number
          category: string
          conversation_id: string
          decisions: Json | null
          display_name: string
          function_schema: Json
          /** Why it needs a person though its tool does not: {"destinations", "sources"}. It goes out of the machine from a tainted task. */
          gate: Json | null
          id: string
          /** SHA-256, in hex, of input_parameters as jsonb prints it. */
          input_digest: string
          is_mine: boolean | null
          /** What the model asked for, where a person edited it before approving. */
          original_arguments: Json | null
          /** It sends data off the machine, spends, deletes or messages. */
          outward: boolean
          owner_name: string | null
          security_level: 'safe' | 'moderate' | 'dangerous'
          status:
            'pending' | 'awaiting_approval' | 'running' | 'completed' | 'failed' | 'denied' | 'in_doubt' | 'cancelled'
          step: number
          /** What it has read from outside: [{"source", "tool", "step"}], the first 50; an uploaded file has neither tool nor step. */
          taint_sources: Json
          /** It has read something from outside, or from one that has; never unset. */
          tainted: boolean
          task_id: string
          task_status: 'pending' | 'running' | 'waiting' | 'paused' | 'completed' | 'failed' | 'cancelled'
          task_title: string
          tenant_id: string
          tool_id: string
          tool_name: string
          user_id: string
          /** What the agent said in the turn that asked for the call. */
          why: string | null
        }
        Relationships: []
      }
    }
    Functions: {
      /** The signed-in person, whose confirmed address was invited, goes over into the tenant with the role of the invitation. What is at home stays there and theirs; what they made in a team's tenant stays with the team. */
      accept_invitation: {
        Args: {
          p_invitation: string
        }
        Returns: Database['public']['Tables']['users']['Row']
      }
      /** An admin takes the tools of a server into the table, as a call of the server's row listed them (try_tool). New ones and those that the server describes otherwise than before are disabled until an admin enables them; so are those that are gone. */
      adopt_server_tools: {
        Args: {
          p_execution: string
        }
        Returns: {
          name: string
          change: string
        }[]
      }
      /** Gives the agent a message; a task that waited for an answer goes on. Security definer, since it moves the state; it lets only the task's owner do so. */
      answer_task: {
        Args: {
          p_task: string
          p_answer: string
        }
        Returns: Database['public']['Tables']['tasks']['Row']
      }
      /** The next rows of the tenant's chain as they are hashed, for its admins: {rows: [{text, prev_hash, hash}], after, done}. */
      audit_export: {
        Args: {
          p_after?: Json | null
          p_limit?: number
          p_since?: string | null
          p_until?: string | null
        }
        Returns: Json
      }
      /** The end of the tenant's chain, for its admins: [{tenant_id, chain_seq, hash, created_at, dropped, stubs}]. */
      audit_head: {
        Args: never
        Returns: Json
      }
      /** Verifies the next rows of the tenant's chain, for its admins: {checked, after, done, problem: {kind, seq, id, says}}. */
      audit_verify: {
        Args: {
          p_after?: Json | null
          p_limit?: number
          p_head?: Json | null
        }
        Returns: Json
      }
      /** Ends a task that nobody runs at once; asks the worker to stop one that runs. */
      cancel_task: {
        Args: {
          p_task: string
        }
        Returns: Database['public']['Tables']['tasks']['Row']
      }
      /** A copy, of the person's own, of an agent that the person sees: in the own tenant, not shared, without its permissions unless an admin copies an agent of the same tenant. */
      clone_agent: {
        Args: {
          p_agent: string
          p_name: string
        }
        Returns: Database['public']['Tables']['agents']['Row']
      }
      /** The task's owner, or an admin of the tenant, approves a call that waits or denies it with a reason. p_arguments: run these instead; p_digest: the input_digest of what the person saw, so that nobody approves what somebody else just changed. A tool with approvals_required = 2 needs two people. */
      decide_execution: {
        Args: {
          p_execution: string
          p_approve: boolean
          p_reason?: string | null
          p_arguments?: Json | null
          p_digest?: string | null
        }
        Returns: Database['public']['Tables']['tool_executions']['Row']
      }
      /** An admin invites the person of an e-mail address into the tenant, as admin, user or viewer. Whoever signs up with that address, confirmed, is in it at once; who has an account accepts. Inviting again changes the role and begins the 14 days anew. */
      invite_user: {
        Args: {
          p_email: string
          p_role?: string
        }
        Returns: Database['public']['Tables']['invitations']['Row']
      }
      /** Back home, as user. What one made in the tenant stays there, with the team. Asked again, it does not leave the next one, too. */
      leave_tenant: {
        Args: {
          p_tenant_id: string
        }
        Returns: Database['public']['Tables']['users']['Row']
      }
      /** Who the signed-in person is and may do: {user_id, tenant_id, tenant_name, home_tenant_id, role, is_operator, can_write, is_admin, email, full_name}. For screens alone: each policy and function asks again. */
      my_access: {
        Args: never
        Returns: Json
      }
      /** Those that the signed-in person can accept, by the name of the tenant. */
      my_invitations: {
        Args: never
        Returns: {
          id: string
          tenant: string
          role: string
          created_at: string
          expires_at: string
        }[]
      }
      /** Holds a task: at once, or when the call that runs has ended. resume_task lets it go on. */
      pause_task: {
        Args: {
          p_task: string
        }
        Returns: Database['public']['Tables']['tasks']['Row']
      }
      /** For an operator: the tenants and their limits, those whose slug begins with p_search or whose name holds it. Nothing of what is in them. */
      platform_tenants: {
        Args: {
          p_search?: string | null
          p_limit?: number
        }
        Returns: {
          id: string
          slug: string
          name: string
          members: number
          limits: Json
          created_at: string
        }[]
      }
      /** An operator puts a copy of an agent, without its permissions, into the catalogue, where everybody can use it. */
      publish_agent: {
        Args: {
          p_agent: string
          p_name?: string | null
        }
        Returns: Database['public']['Tables']['agents']['Row']
      }
      /** An admin sends a member home, as user. What the member made in the tenant stays there, with open tasks paused, and can be transferred; the member sees nothing of it any more. */
      remove_user: {
        Args: {
          p_user: string
        }
        Returns: undefined
      }
      /** An admin names the tenant. Its slug and its settings, the limits among them, are the operator's. */
      rename_tenant: {
        Args: {
          p_name: string
        }
        Returns: Database['public']['Tables']['tenants']['Row']
      }
      /** Lets a paused task go on. */
      resume_task: {
        Args: {
          p_task: string
        }
        Returns: Database['public']['Tables']['tasks']['Row']
      }
      /** Tries failed and cancelled items of a call of spawn_tasks again, all or those named, each as a new task; how many. p_spawn numbers the task's calls from 1; the last one if left out. Security definer, since it makes tasks; it lets only the task's owner do so. */
      retry_children: {
        Args: {
          p_task: string
          p_spawn?: number | null
          p_items?: number[] | null
        }
        Returns: number
      }
      /** An admin takes an invitation back that nobody has accepted yet. */
      revoke_invitation: {
        Args: {
          p_invitation: string
        }
        Returns: Database['public']['Tables']['invitations']['Row']
      }
      /** For admins, of their tenant, and operators, of all: {workers, model, queue, reap, audit, sizes}. Where something is wrong, the part has a "problem", a code, and a "remedy", in words. */
      runtime_health: {
        Args: never
        Returns: Json
      }
      /** Whether anybody works, for a screen that must say why nothing moves: {workers, my_pending, oldest_pending_seconds, model: {reachable (null: nobody has said), stand_in, missing: names}, server_time, schema_version}. */
      runtime_status: {
        Args: never
        Returns: Json
      }
      /** The newest messages, of those that the caller may read, with these words, in Spanish or in English; "quoted phrases", or, and -not are understood. */
      search_messages: {
        Args: {
          p_query: string
          p_limit?: number
        }
        Returns: Database['public']['Tables']['messages']['Row'][]
      }
      /** The newest tasks that the caller may see: with these words, in Spanish or in English ("quoted phrases", or, and -not are understood), in one of these states, of this agent, mine or (of others, to be seen by me) shared. The next page: p_before and p_before_id are created_at and id of the last row. */
      search_tasks: {
        Args: {
          p_query?: string | null
          p_status?: string[] | null
          p_agent?: string | null
          p_before?: string | null
          p_limit?: number
          p_before_id?: string | null
          p_whose?: string | null
        }
        Returns: Database['public']['Views']['task_overview']['Row'][]
      }
      /** An operator sets a key of the configuration that is there. Numbers and booleans are taken as such and as text. */
      set_configuration: {
        Args: {
          p_key: string
          p_value: Json
        }
        Returns: Database['public']['Tables']['system_config']['Row']
      }
      /** An operator says which hosts of private networks the tools of a tenant may reach, all of them: ["wiki.internal:8080"]; [] for none. It holds from the next claim of each task on. */
      set_tenant_allow_hosts: {
        Args: {
          p_tenant: string
          p_hosts: Json
        }
        Returns: Database['public']['Tables']['tenants']['Row']
      }
      /** An operator sets the limits of a tenant, all that hold: {"steps": 50}; {} for none. Its tasks heed them from their next claim at the latest. */
      set_tenant_limits: {
        Args: {
          p_tenant: string
          p_limits: Json
        }
        Returns: Database['public']['Tables']['tenants']['Row']
      }
      /** Says how a tool may be used: an operator of the platform's, an admin of the tenant's own. What is left null stays as it is. It holds from the next call on, in tasks that run too. */
      set_tool: {
        Args: {
          p_tool: string
          p_is_enabled?: boolean | null
          p_requires_confirmation?: boolean | null
          p_approvals_required?: number | null
          p_timeout_seconds?: number | null
          p_output_limit_bytes?: number | null
        }
        Returns: Database['public']['Tables']['tools']['Row']
      }
      /** An admin deactivates a member, or undoes it. Whatever token the member holds gives nothing from the next statement on; open tasks are paused, and stay so until somebody lets them go on. */
      set_user_active: {
        Args: {
          p_user: string
          p_active: boolean
        }
        Returns: Database['public']['Tables']['users']['Row']
      }
      /** An admin makes a member admin, user or viewer, from the next statement on. The tasks of a new viewer are paused. */
      set_user_role: {
        Args: {
          p_user: string
          p_role: string
        }
        Returns: Database['public']['Tables']['users']['Row']
      }
      /** The task's owner, or an admin of the tenant, says of a call in doubt whether it happened, with its result, or not; the model hears it. */
      settle_execution: {
        Args: {
          p_execution: string
          p_happened: boolean
          p_result?: string | null
        }
        Returns: Database['public']['Tables']['tool_executions']['Row']
      }
      /** Files a task for the signed-in person. Files are uploaded first, to {tenant}/{p_task}/…, and named in p_files: array of {"filename", "original_filename", "file_path", "file_size", "mime_type", "file_hash"}. The same p_idempotency_key gives the same task. */
      submit_task: {
        Args: {
          p_prompt: string
          p_agent?: string | null
          p_priority?: number
          p_title?: string | null
          p_conversation?: string | null
          p_task?: string | null
          p_files?: Json
          p_limits?: Json
          p_run_after?: string | null
          p_idempotency_key?: string | null
        }
        Returns: Database['public']['Tables']['tasks']['Row']
      }
      /** Whose task it is, and who decided about its calls or uploaded files to it: the names that its timeline needs. The owner comes first. */
      task_people: {
        Args: {
          p_task: string
        }
        Returns: {
          user_id: string
          name: string
          is_me: boolean
        }[]
      }
      /** An admin gives what one person, a member or a former one, has in the tenant to another: agents, and conversations with their tasks, which go on as they are. Returns how many of each. */
      transfer_ownership: {
        Args: {
          p_from: string
          p_to: string
        }
        Returns: Json
      }
      /** An admin tries a tool with arguments: files a task that has the call on record, and task_complete after it, so that a worker runs it as any other call and asks no model. Approvals, limits and audit hold; the agent is the catalogue's first. The conversation's metadata has {"trial": its name}. */
      try_tool: {
        Args: {
          p_tool: string
          p_arguments?: Json
        }
        Returns: Database['public']['Tables']['tasks']['Row']
      }
      /** The credentials that the caller may know of, without their values. */
      vault_list: {
        Args: never
        Returns: Database['public']['Tables']['credentials']['Row'][]
      }
      /** Puts a sealed credential into the row that vault_slot named, or replaces what is there. The sealed parts are in hex. */
      vault_put: {
        Args: {
          p_id: string
          p_name: string
          p_scope: string
          p_tenant: string
          p_category: string
          p_ciphertext: string
          p_wrapped_key: string
          p_key_id: string
        }
        Returns: Database['public']['Tables']['credentials']['Row']
      }
      vault_remove: {
        Args: {
          p_name: string
          p_scope: string
          p_tenant?: string | null
        }
        Returns: Database['public']['Tables']['credentials']['Row']
      }
      /** The row that a credential of the caller's has or would have, for the seal to be bound to. */
      vault_slot: {
        Args: {
          p_name: string
          p_scope: string
          p_tenant?: string | null
        }
        Returns: Json
      }
    }
    Enums: {}
    CompositeTypes: {}
  }
}

/** A row of a table or a view. */
export type Row<Name extends keyof (Database['public']['Tables'] & Database['public']['Views'])> =
  (Database['public']['Tables'] & Database['public']['Views'])[Name]['Row']

/** What a function answers. */
export type Answer<Of extends keyof Database['public']['Functions']> = Database['public']['Functions'][Of]['Returns']
