import { describe, expect, it } from 'vitest'
import { pythonParts } from './python'
import { shownOf } from './terminal_session'

describe('what a session showed', () => {
  it('is told apart from how things stand', () => {
    expect(shownOf('session main: exit code 0\noutput:\none\noutput:\ntwo')).toEqual({
      note: '',
      output: 'one\noutput:\ntwo',
      isScreen: false,
    })
    expect(shownOf('session a: still running after 1 seconds; …\nscreen:\n full').isScreen).toBe(true)
    expect(shownOf('session main: exit code 1\n(no new output)')).toEqual({ note: '', output: '', isScreen: false })
    expect(shownOf('The session s is gone.\nsession s: exit code 0\noutput:\nnew')).toMatchObject({
      note: 'The session s is gone.\n',
      output: 'new',
    })
    expect(shownOf("there is no session 'x'").note).toBe("there is no session 'x'")
  })
})

describe('what Python brought', () => {
  it('has its parts', () => {
    expect(pythonParts('output:\nhello\nvalue:\n42\nfigures: figures/a.png')).toEqual({
      note: '',
      output: 'hello',
      value: '42',
      error: '',
    })
    expect(pythonParts('error: KeyError: 1\noutput:\nvalue:\nx\ntraceback:\nTraceback\nKeyError: 1')).toEqual({
      note: '',
      output: 'value:\nx',
      value: '',
      error: 'Traceback\nKeyError: 1',
    })
    expect(pythonParts('This is a new interpreter.\nvalue:\nFalse')).toMatchObject({
      note: 'This is a new interpreter.',
      value: 'False',
    })
    expect(pythonParts('(no output)')).toEqual({ note: '', output: '', value: '', error: '' })
  })
})
