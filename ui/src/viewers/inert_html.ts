/**
 * HTML that a file holds, as a document for a frame of opaque origin that may do nothing: no scripts, no forms, no way out.
 * The frame and its policy are what keeps it harmless; what would only be refused there is taken out before, so that a refusal
 * that is reported means something.
 */
const OUT =
  'script, style, link, base, meta, iframe, frame, frameset, object, embed, applet, portal, template, noscript, audio, video, source, track, dialog'
const ADDRESSES = new Set([
  'href',
  'xlink:href',
  'src',
  'srcset',
  'poster',
  'background',
  'action',
  'formaction',
  'data',
  'ping',
  'cite',
  'manifest',
])
const LEFT_OUT = new Set(['srcdoc', 'autofocus', 'contenteditable', 'style', 'nonce'])
const SET_ASIDE = 'data-aside-'

export function inertDocument(html: string, nonce: string | null): string {
  const rules: string[] = []
  // Parsed apart from the page: nothing in it runs or is fetched.
  const parsed = new DOMParser().parseFromString(withoutNoise(html, rules), 'text/html')
  parsed.querySelectorAll(OUT).forEach((element) => element.remove())
  for (const element of parsed.querySelectorAll('*')) {
    for (const attribute of [...element.attributes]) {
      const name = attribute.name.toLowerCase()
      if (name === `${SET_ASIDE}style`) {
        // The policy takes style elements with the page's nonce, and no style attributes.
        const mark = String(rules.length)
        rules.push(`[data-inert="${mark}"]{${tameRules(attribute.value).replace(/[{}]/g, '')}}`)
        element.removeAttribute(attribute.name)
        element.setAttribute('data-inert', mark)
      } else if (name.startsWith('on') || LEFT_OUT.has(name) || name.startsWith(SET_ASIDE)) {
        element.removeAttribute(attribute.name)
      } else if (ADDRESSES.has(name)) {
        keepAddress(element, attribute)
      }
    }
  }
  return frameDocument(rules.join('\n'), parsed.body.outerHTML, nonce, parsed.documentElement.lang)
}

/**
 * Even a document that is only parsed has its inline styles and handlers reported as refused. So they are set aside in
 * the text before: style elements as rules, attributes under another name.
 */
function withoutNoise(html: string, rules: string[]): string {
  return html
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/<script\b[\s\S]*?<\/script\s*>/gi, '')
    .replace(/<(base|link|meta)\b[^<>]*>/gi, '')
    .replace(/<style\b[^>]*>([\s\S]*?)<\/style\s*>/gi, (_, css: string) => {
      rules.push(tameRules(css))
      return ''
    })
    .replace(/<[a-z](?:"[^"]*"|'[^']*'|[^'"<>])*>/gi, (tag) =>
      tag.replace(/([\s"'/])(style|on[a-z]+)(?=\s*=)/gi, `$1${SET_ASIDE}$2`),
    )
}

/** An SVG as a picture in such a frame: as a picture it can neither run nor fetch anything, wherever it stands. */
export function inertPicture(svg: Uint8Array, alt: string): string {
  let binary = ''
  for (let at = 0; at < svg.length; at += 0x8000) binary += String.fromCharCode(...svg.subarray(at, at + 0x8000))
  const image = document.createElement('img')
  image.setAttribute('alt', alt)
  image.setAttribute('src', `data:image/svg+xml;base64,${btoa(binary)}`)
  return frameDocument('', `<body>${image.outerHTML}</body>`, null, '')
}

/** The nonce that this page's policy takes style elements by; null where the server sends none. */
export function styleNonce(): string | null {
  const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? ''
  return /^[A-Za-z0-9+/=_-]{8,}$/.test(nonce) && nonce !== '__NONCE__' ? nonce : null
}

function keepAddress(element: Element, { name, value }: Attr): void {
  const isPicture = element.localName === 'img' || element.localName === 'image'
  const stays = isPicture ? /^data:image\//i.test(value.trim()) : value.startsWith('#') && element.localName !== 'a'
  if (stays) return
  element.removeAttribute(name)
  // Where it would have led can be read, and not followed.
  if (element.localName === 'a' || isPicture) element.setAttribute('title', value.slice(0, 300))
}

function tameRules(css: string): string {
  return css
    .replace(/@import[^;]*(;|$)/gi, '')
    .replace(/url\(\s*(['"]?)(?!data:|#)[^)]*\)/gi, 'none')
    .replace(/<\/style/gi, '')
}

function frameDocument(rules: string, body: string, nonce: string | null, lang: string): string {
  const styles = nonce ? `'nonce-${nonce}'` : "'none'"
  const policy = `default-src 'none'; img-src data:; font-src data:; style-src ${styles}; form-action 'none'; base-uri 'none'`
  const style = nonce ? `<style nonce="${nonce}">${BASE}\n${rules}</style>` : ''
  const language = /^[A-Za-z-]{2,12}$/.test(lang) ? ` lang="${lang}"` : ''
  return `<!doctype html><html${language}><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">${style}</head>${body}</html>`
}

const BASE = 'html{background:#fff;color:#111;font-family:system-ui,sans-serif}img,svg{max-width:100%;height:auto}'
