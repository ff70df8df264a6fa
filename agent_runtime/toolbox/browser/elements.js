// What a person can see and use in one frame, in the order of the page. Evaluated once per document by elements.py.
//
// An element keeps its number for as long as its document lives, and no number is given twice, so that a number that
// the model read earlier means what it meant then, or nothing.
//
// DOM methods are called through their prototypes: in a form, `<input name="firstChild">` would take the place of the
// property.
() => {
  const getter = (prototype, name) => {
    const get = Object.getOwnPropertyDescriptor(prototype, name).get
    return (node) => get.call(node)
  }
  const typeOf = getter(Node.prototype, 'nodeType')
  const firstOf = getter(Node.prototype, 'firstChild')
  const nextOf = getter(Node.prototype, 'nextSibling')
  const rootOf = getter(Element.prototype, 'shadowRoot')
  const tagName = getter(Element.prototype, 'tagName')
  const tagOf = (element) => tagName(element).toUpperCase()
  const attribute = (element, name) => Element.prototype.getAttribute.call(element, name)
  const matches = (element, selector) => Element.prototype.matches.call(element, selector)
  const holds = (element, selector) => Element.prototype.querySelector.call(element, selector) !== null
  const isShown = (element) => Element.prototype.checkVisibility.call(element)
  const boxOf = (element) => Element.prototype.getBoundingClientRect.call(element)

  const ROLES = [
    'button', 'link', 'checkbox', 'radio', 'switch', 'tab', 'menuitem', 'menuitemcheckbox', 'menuitemradio', 'option',
    'combobox', 'textbox', 'searchbox', 'slider', 'spinbutton', 'treeitem',
  ]
  const EDITABLE = '[contenteditable]:not([contenteditable=false])'
  const CONTROLS = [
    'a[href]', 'area[href]', 'button', 'input:not([type=hidden])', 'select', 'textarea', 'summary', EDITABLE,
    '[onclick]', '[tabindex]:not([tabindex^="-"])', ...ROLES.map((role) => `[role=${role}]`),
  ].join(',')
  const SKIPPED = new Set(
    'SCRIPT STYLE NOSCRIPT TEMPLATE HEAD META LINK TITLE OPTION OPTGROUP DATALIST OBJECT EMBED AUDIO'.split(' '),
  )
  const INPUTS = {
    button: 'button', submit: 'button', reset: 'button', image: 'button', checkbox: 'checkbox', radio: 'radio',
    file: 'file', range: 'slider', search: 'searchbox', color: 'colour', date: 'date', time: 'time', month: 'month',
    week: 'week', 'datetime-local': 'date and time', number: 'number', password: 'password',
  }
  const TAGS = { A: 'link', AREA: 'link', BUTTON: 'button', SELECT: 'select', TEXTAREA: 'textbox', SUMMARY: 'summary' }
  const NAME_LIMIT = 120
  const VALUE_LIMIT = 200
  const ADDRESS_LIMIT = 500
  const OPTIONS_LIMIT = 20
  const TEXT_LIMIT = 20000

  const numbers = new WeakMap()
  let elements = new Map()
  let frames = []

  // A page must not write what looks like a number of ours.
  const plain = (text) => text.replace(/\[(\d+)\]/g, '($1)')
  const words = (text, limit) => {
    const found = String(text ?? '').slice(0, limit * 10).replace(/\s+/g, ' ').trim().replaceAll('"', "'")
    return plain(found.length > limit ? `${found.slice(0, limit - 1)}…` : found)
  }

  const kindOf = (element) => {
    const role = (attribute(element, 'role') ?? '').trim().split(/\s+/)[0]
    const tag = tagOf(element)
    if (tag === 'INPUT') return role === 'switch' || role === 'combobox' ? role : INPUTS[element.type] ?? 'textbox'
    if (tag === 'SELECT' || tag === 'TEXTAREA') return TAGS[tag]
    if (ROLES.includes(role)) return role
    if (matches(element, EDITABLE)) return 'textbox'
    return TAGS[tag] ?? 'clickable'
  }

  const textOf = (element) => (element instanceof HTMLElement ? element.innerText : element.textContent)

  const nameOf = (element, kind) => {
    const by = (attribute(element, 'aria-labelledby') ?? '').split(/\s+/).filter(Boolean)
    const root = Node.prototype.getRootNode.call(element)
    const labelled = by.map((id) => root.getElementById?.(id)?.textContent ?? '').join(' ')
    const isField = ['INPUT', 'SELECT', 'TEXTAREA'].includes(tagOf(element))
    const candidates = [() => labelled, () => attribute(element, 'aria-label')]
    if (isField) {
      if (kind === 'button') candidates.push(() => element.value, () => attribute(element, 'alt'))
      // Of a label around the field, the field's own options are no part.
      candidates.push(() => [...(element.labels ?? [])].map((label) => labelText(label, element)).join(' '))
      candidates.push(() => attribute(element, 'placeholder'), () => attribute(element, 'title'))
      candidates.push(() => attribute(element, 'name'), () => (element.type === 'submit' ? 'Submit' : ''))
    } else {
      if (!matches(element, EDITABLE)) candidates.push(() => textOf(element))
      candidates.push(() => Element.prototype.querySelector.call(element, 'img[alt]:not([alt=""])')?.alt)
      candidates.push(() => Element.prototype.querySelector.call(element, 'title')?.textContent)
      candidates.push(() => attribute(element, 'alt'), () => attribute(element, 'title'))
      candidates.push(() => attribute(element, 'placeholder'), () => attribute(element, 'data-testid'))
    }
    for (const candidate of candidates) {
      const name = words(candidate(), NAME_LIMIT)
      if (name) return name
    }
    return ''
  }

  const labelText = (label, field) => {
    if (!label.contains(field) || tagOf(field) !== 'SELECT') return label.innerText
    const copy = label.cloneNode(true)
    for (const select of copy.querySelectorAll('select')) select.remove()
    return copy.textContent
  }

  const addressOf = (element) => (typeof element.href === 'string' ? element.href : '')

  /** What an element is: as long as it stays the same, its number means the same. */
  const identity = (element) => {
    const kind = kindOf(element)
    const name = nameOf(element, kind)
    let text = name ? `${kind} "${name}"` : kind
    if (kind === 'link') {
      const address = addressOf(element)
      if (/^https?:/.test(address)) {
        text += address.length > ADDRESS_LIMIT ? ' <a very long address>' : ` <${address}>`
      }
    }
    return text
  }

  const stateOf = (element) => {
    const tag = tagOf(element)
    const state = []
    let value = null
    if (tag === 'SELECT') {
      const options = [...element.options]
      value = options.filter((option) => option.selected).map((option) => option.label).join(', ')
      const shown = options.slice(0, OPTIONS_LIMIT).map((option) => words(option.label, 60) || '(empty)')
      if (options.length > shown.length) shown.push(`${options.length - shown.length} more`)
      state.push(`${element.multiple ? 'several of' : 'options'}: ${shown.join(', ')}`)
    } else if (tag === 'INPUT' && (element.type === 'checkbox' || element.type === 'radio')) {
      state.push(element.checked ? 'checked' : 'not checked')
    } else if (tag === 'INPUT' && element.type === 'file') {
      value = [...element.files].map((file) => file.name).join(', ')
      if (element.multiple) state.push('several files')
      if (element.accept) state.push(`accepts ${words(element.accept, 100)}`)
    } else if (tag === 'INPUT' && element.type === 'password') {
      if (element.value) state.push(`${element.value.length} characters, not shown`)
    } else if (tag === 'TEXTAREA' || (tag === 'INPUT' && kindOf(element) !== 'button')) {
      value = element.value
    } else if (matches(element, EDITABLE)) {
      value = textOf(element)
    }
    for (const [name, yes, no] of [
      ['aria-checked', 'checked', 'not checked'],
      ['aria-expanded', 'expanded', 'collapsed'],
      ['aria-selected', 'selected', ''],
      ['aria-pressed', 'pressed', 'not pressed'],
    ]) {
      const given = attribute(element, name)
      if (given === 'true') state.push(yes)
      if (given === 'false' && no) state.push(no)
    }
    if (attribute(element, 'aria-current')) state.push('current')
    if (matches(element, ':required')) state.push('required')
    if (matches(element, ':disabled') || attribute(element, 'aria-disabled') === 'true') state.push('disabled')
    if (matches(element, ':read-only') && (tag === 'TEXTAREA' || element.readOnly)) state.push('read-only')
    if (matches(element, ':user-invalid')) state.push(`invalid: ${words(element.validationMessage, 100)}`)
    const shown = value === null ? '' : words(value, VALUE_LIMIT)
    return (shown ? ` = "${shown}"` : '') + (state.length ? ` (${state.join('; ')})` : '')
  }

  const labelIsShown = (element) => [...(element.labels ?? [])].some((label) => isShown(label))

  /** Whether it can be used, though it may be drawn by something else. */
  const isUsable = (element) =>
    tagOf(element) === 'INPUT' &&
    (element.type === 'file' || ((element.type === 'checkbox' || element.type === 'radio') && labelIsShown(element)))

  const childrenOf = (element, limit) => {
    const shadow = rootOf(element)
    const isSlot = tagOf(element) === 'SLOT' && element instanceof HTMLSlotElement
    const assigned = isSlot ? element.assignedNodes() : []
    if (assigned.length) return assigned.slice(0, limit)
    const found = []
    for (let node = firstOf(shadow instanceof ShadowRoot ? shadow : element); node && found.length < limit; ) {
      found.push(node)
      node = nextOf(node)
    }
    return found
  }

  const isInline = (display) => /^(inline|contents|ruby)/.test(display)

  /** The lines of the frame: [text, whether it is in the window], or [null, the number of a frame inside]. */
  const collect = (limits) => {
    elements = new Map()
    frames = []
    const lines = []
    const ends = performance.now() + limits.milliseconds
    let { next } = limits
    let line = ''
    let seen = false
    let anySeen = false
    let characters = 0
    let nodes = 0
    let cut = false

    const flush = () => {
      const text = line.replace(/(\s*\|\s*)+$/, '').trimEnd()
      if (text.trim() && !/^\s*(#+|-|\|)\s*$/.test(text)) lines.push([text, seen])
      line = ''
      seen = false
    }
    const say = (text, near) => {
      line += text
      characters += text.length
      if (!anySeen && near) {
        const box = boxOf(near)
        seen ||= box.bottom > 0 && box.top < innerHeight && box.width + box.height > 0
        anySeen = seen
      }
    }
    const space = () => {
      if (line && !/\s$/.test(line)) line += ' '
    }
    const number = (element) => {
      if (!numbers.has(element)) numbers.set(element, next++)
      const found = numbers.get(element)
      const what = identity(element)
      elements.set(found, [element, what])
      space()
      say(`[${found}] ${what}${stateOf(element)} `, element)
    }
    const text = (node, around) => {
      const { data } = node
      if (!data.trim()) {
        if (data && line) space()
        return
      }
      const shown = plain(data.slice(0, TEXT_LIMIT))
      if (data.length > TEXT_LIMIT) cut = true
      if (around.isVerbatim) {
        shown.split('\n').forEach((part, index) => {
          if (index) flush()
          say(part, around.element)
        })
      } else {
        if (/^\s/.test(shown)) space()
        say(shown.replace(/\s+/g, ' ').trimStart(), around.element)
      }
    }
    const visit = (node, around, stack) => {
      if (typeOf(node) === Node.TEXT_NODE) {
        if (around.isVisible) text(node, around)
        return
      }
      if (typeOf(node) !== Node.ELEMENT_NODE) return
      const tag = tagOf(node)
      if (SKIPPED.has(tag)) return
      const style = getComputedStyle(node)
      if (style.display !== 'contents' && !isShown(node)) {
        if (isUsable(node)) number(node)
        return
      }
      const isVisible = style.visibility === 'visible'
      const isPointer = style.cursor === 'pointer'
      const inside = {
        element: node,
        isVisible,
        isPointer,
        isVerbatim: style.whiteSpaceCollapse ? style.whiteSpaceCollapse.startsWith('preserve') : tag === 'PRE',
        isInControl: around.isInControl,
      }
      if (tag === 'BR') return flush()
      if (tag === 'IFRAME' || tag === 'FRAME') {
        flush()
        if (isVisible && boxOf(node).width * boxOf(node).height > 100) lines.push([null, frames.push(node) - 1])
        return
      }
      const isBlock = !isInline(style.display) && style.display !== 'table-cell'
      if (isBlock) {
        flush()
        stack.push(flush)
      }
      if (style.display === 'table-cell') stack.push(() => { line += ' | ' })
      if (/^H[1-6]$/.test(tag)) line += `${'#'.repeat(Number(tag[1]))} `
      if (tag === 'LI') line += '- '
      if (tag === 'IMG' && isVisible && attribute(node, 'alt')) {
        say(`(image: ${words(attribute(node, 'alt'), NAME_LIMIT)}) `, node)
      }
      const isControl = matches(node, CONTROLS)
      const looksClickable =
        isPointer && !around.isPointer && !around.isInControl && tag !== 'LABEL' && !holds(node, CONTROLS)
      if ((isVisible && (isControl || looksClickable)) || (isControl && isUsable(node))) {
        number(node)
        inside.isInControl = true
        // What is written in a small control is its name already.
        const isSmall = !holds(node, CONTROLS) && (textOf(node) ?? '').length <= NAME_LIMIT
        if (isSmall || ['SELECT', 'TEXTAREA'].includes(tag) || matches(node, EDITABLE)) return
        flush()
      }
      const children = childrenOf(node, limits.nodes)
      for (let index = children.length - 1; index >= 0; index--) stack.push([children[index], inside])
    }

    const start = { element: null, isVisible: true, isPointer: false, isVerbatim: false, isInControl: false }
    const root = document.documentElement
    const stack = root ? [[root, start]] : []
    while (stack.length) {
      const top = stack.pop()
      if (typeof top === 'function') {
        top()
        continue
      }
      nodes += 1
      if (nodes > limits.nodes || characters > limits.characters || (nodes % 64 === 0 && performance.now() > ends)) {
        cut = true
        break
      }
      visit(top[0], top[1], stack)
    }
    flush()
    const height = Math.max(document.documentElement?.scrollHeight ?? 0, document.body?.scrollHeight ?? 0)
    const status = performance.getEntriesByType('navigation')[0]?.responseStatus ?? 0
    return { lines, next, cut, status, controls: elements.size, top: Math.round(scrollY), window: innerHeight, height }
  }

  /** What is still known of a number: null when it is none of this document's, else whether it means the same. */
  const means = (number) => {
    const found = elements.get(number)
    return found ? found[0].isConnected && identity(found[0]) === found[1] : null
  }

  /** What an action needs to know of an element. */
  const about = (number) => {
    const [element, what] = elements.get(number)
    const tag = tagOf(element)
    return {
      what,
      tag,
      type: tag === 'INPUT' ? element.type : '',
      address: addressOf(element),
      isEditable: matches(element, EDITABLE),
      isDisabled: matches(element, ':disabled'),
      options: tag === 'SELECT' ? [...element.options].slice(0, 1000).map((option) => [option.label, option.value]) : [],
    }
  }

  const element = (number) => elements.get(number)?.[0] ?? null
  const frame = (index) => frames[index] ?? null
  return { collect, means, about, element, frame }
}
