import type { session as english } from '../en/session'
import type { Same } from '../same'

export const session: Same<typeof english> = {
  title: 'Iniciar sesión',
  email: 'Correo electrónico',
  password: 'Contraseña',
}
