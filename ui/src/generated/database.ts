// Stands here until `make types` writes it.
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]
// eslint-disable-next-line
export type Database = any
