export const session = {
  title: 'Sign in',
  email: 'E-mail address',
  password: 'Password',
} as const
