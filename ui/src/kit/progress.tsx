import './progress.css'

/** How far something is: `value` of 100, or null while that is not known. */
export function Progress({ value, label }: { value: number | null; label: string }) {
  return (
    <div
      className="progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={value ?? undefined}
    >
      <div
        className={value === null ? 'progress-bar progress-unknown' : 'progress-bar'}
        style={{ width: `${value ?? 40}%` }}
      />
    </div>
  )
}
