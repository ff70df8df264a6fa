import { ToggleGroup } from 'radix-ui'
import './segments.css'

/** One of a few ways to see the same thing. */
export function Segments<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string
  value: T
  options: readonly (readonly [T, string])[]
  onChange: (value: T) => void
}) {
  return (
    <ToggleGroup.Root
      type="single"
      className="segments"
      aria-label={label}
      value={value}
      onValueChange={(next) => next && onChange(next as T)}
    >
      {options.map(([option, word]) => (
        <ToggleGroup.Item key={option} value={option} className="segment">
          {word}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  )
}
