import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

// Where `agent-runtime serve` listens, for `npm run dev`.
const target = process.env.AGENT_RUNTIME_SERVER ?? 'http://127.0.0.1:8080'
// The server tells the browser where Supabase is by the host that it was asked for: the browser's, not its own.
const server = { target, changeOrigin: false }

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: { outDir: 'dist', assetsInlineLimit: 0, manifest: true, sourcemap: false },
  server: {
    host: '127.0.0.1',
    proxy: { '/config.json': server, '/live': server, '/healthz': server, '/csp-report': server, '/supabase': server },
  },
})
