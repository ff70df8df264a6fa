import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import { ExactWord } from '@/kit/exact_text'
import { number } from '@/kit/figures'
import { Empty, Loading, ProblemLine, ProblemState } from '@/kit/states'
import { Badge } from '@/kit/status'
import { Table } from '@/kit/table'
import type { Access } from '@/session/session'
import { SecurityLevel } from '../approvals/parts'
import { ToolPage } from './tool_page'
import { useTools } from './tool_rows'

/** The platform's tools and the team's own, and what each is allowed. */
export function Tools({ access, item }: { access: Access; item: string }) {
  const { t } = useTranslation('admin')
  const { data: tools, error, refetch } = useTools()
  const [wanted, setWanted] = useState('')
  if (!tools) return error ? <ProblemState error={error} onRetry={() => void refetch()} /> : <Loading />
  if (item) {
    const tool = tools.find((one) => one.name === item)
    if (!tool) return <ProblemState error={{ code: 'AR002', message: item }} />
    return <ToolPage key={tool.id} tool={tool} access={access} />
  }
  const shown = tools.filter((tool) =>
    `${tool.name} ${tool.display_name} ${tool.category}`.toLowerCase().includes(wanted.trim().toLowerCase()),
  )
  return (
    <div className="admin-stack">
      <p className="admin-lead">{t('tools.lead')}</p>
      <input
        type="search"
        className="control"
        aria-label={t('tools.search')}
        placeholder={t('tools.search')}
        value={wanted}
        onChange={(event) => setWanted(event.target.value)}
      />
      <ProblemLine error={error} />
      {shown.length === 0 ? (
        <Empty title={t('tools.none')} />
      ) : (
        <Table
          label={t('tabs.tools')}
          rows={shown}
          keyOf={(tool) => tool.id}
          columns={[
            {
              key: 'tool',
              head: t('tools.tool'),
              cell: (tool) => (
                <div className="admin-name">
                  <Link href={`/admin/tools/${encodeURIComponent(tool.name)}`}>
                    <ExactWord text={tool.display_name} />
                  </Link>
                  <code className="admin-quiet">{tool.name}</code>
                </div>
              ),
            },
            {
              key: 'state',
              head: t('tools.state'),
              cell: (tool) => (
                <Badge tone={tool.is_enabled ? 'good' : 'warn'}>
                  {t(tool.is_enabled ? 'tools.enabled' : 'tools.disabled')}
                </Badge>
              ),
            },
            {
              key: 'security',
              head: t('tools.security'),
              cell: (tool) => <SecurityLevel level={tool.security_level} />,
            },
            {
              key: 'approval',
              head: t('tools.approval'),
              cell: (tool) =>
                tool.requires_confirmation
                  ? t('tools.asksPeople', { count: tool.approvals_required })
                  : tool.security_level === 'dangerous'
                    ? t('tools.asksUnlessStanding')
                    : '',
            },
            { key: 'category', head: t('tools.category'), cell: (tool) => <ExactWord text={tool.category} /> },
            {
              key: 'whose',
              head: t('agents.whose'),
              cell: (tool) => t(tool.tenant_id ? 'tools.team' : 'tools.platform'),
            },
            { key: 'used', head: t('tools.used'), number: true, cell: (tool) => number(tool.usage_count) },
          ]}
        />
      )}
    </div>
  )
}
