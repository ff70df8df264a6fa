import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

// Where `agent-runtime serve` listens, for `npm run dev`.
const server = process.env.AGENT_RUNTIME_SERVER ?? 'http://127.0.0.1:8642'

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: { outDir: 'dist', assetsInlineLimit: 0, manifest: true, sourcemap: false },
  server: {
    host: '127.0.0.1',
    proxy: { '/config.json': server, '/live': server, '/healthz': server, '/csp-report': server, '/supabase': server },
  },
})
