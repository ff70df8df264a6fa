import type { PostgrestError } from '@supabase/supabase-js'

interface Answer<T> {
  data: T
  error: PostgrestError | null
  status?: number
}

/** The data of an answer, or its error thrown with its HTTP status: `await ask(supabase.from('tasks').select())`. */
export async function ask<T>(request: PromiseLike<Answer<T>>): Promise<NonNullable<T>> {
  const { data, error, status } = await request
  if (error) throw Object.assign(error, { status })
  return data as NonNullable<T>
}
