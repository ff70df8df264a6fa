import { QueryClientProvider } from '@tanstack/react-query'
import { Suspense, useMemo } from 'react'
import { Redirect, Route, Switch, useLocation } from 'wouter'
import type { Config } from '@/config'
import { makeQueries, makeSupabase, ServedContext } from '@/data/client'
import { Notices } from '@/kit/notices'
import { Loading, ProblemState } from '@/kit/states'
import { Refused } from '@/data/problem'
import { Account, Admin, Approvals, Files, Replay, Task } from '@/screens/routes'
import Tasks from '@/screens/tasks'
import { Away } from '@/session/away'
import { AuthCallback, CALLBACK } from '@/session/callback'
import { NoAccount } from '@/session/no_account'
import { SessionProvider, useIsInactive, useSession } from '@/session/session'
import { SignIn } from '@/session/sign_in'
import { ErrorBoundary } from '@/shell/error_boundary'
import { Shell } from '@/shell/shell'

export function App({ config }: { config: Config }) {
  const served = useMemo(() => ({ config, supabase: makeSupabase(config) }), [config])
  const queries = useMemo(() => makeQueries(), [])
  return (
    <ServedContext value={served}>
      <QueryClientProvider client={queries}>
        <Notices>
          <SessionProvider>
            <Screens />
          </SessionProvider>
        </Notices>
      </QueryClientProvider>
    </ServedContext>
  )
}

function Screens() {
  const { session, away } = useSession()
  const isInactive = useIsInactive()
  const [path] = useLocation()
  if (path === CALLBACK) return <AuthCallback />
  if (session === undefined) return away ? <Away /> : <Loading />
  // The address stays as it is, so that signing in goes on where the link led.
  if (session === null) return <SignIn />
  if (isInactive) return <NoAccount />
  return (
    <Shell>
      <ErrorBoundary key={path}>
        <Suspense fallback={<Loading />}>
          <Switch>
            <Route path="/">
              <Redirect to="/tasks" replace />
            </Route>
            <Route path="/tasks" component={Tasks} />
            <Route path="/tasks/:id" component={Task} />
            <Route path="/tasks/:id/replay" component={Replay} />
            <Route path="/approvals" component={Approvals} />
            <Route path="/approvals/:id" component={Approvals} />
            <Route path="/files" component={Files} />
            <Route path="/tasks/:task/files" component={Files} />
            <Route path="/tasks/:task/files/:file" component={Files} />
            <Route path="/admin/*?" component={Admin} />
            <Route path="/account" component={Account} />
            <Route path="/sign-in">
              <Redirect to="/tasks" replace />
            </Route>
            <Route path="/sign-up">
              <Redirect to="/tasks" replace />
            </Route>
            <Route>
              <ProblemState error={new Refused('notFound', '')} />
            </Route>
          </Switch>
        </Suspense>
      </ErrorBoundary>
    </Shell>
  )
}
