const WORDS = { active: "● active", inactive: "○ inactive", expired: "✕ expired", expiring: "◔ expiring" };

/** Whether a token works, and the switch that says whether it may. `at` tells two switches of one token apart: the row's and the panel's. */
export function Status({ token, reason, onToggle, at = "why" }) {
  const on = token.status === "active";
  return (
    <span class={`status ${token.state}`}>
      <button type="button" role="switch" class="switch" aria-checked={on} aria-label={`Active: ${token.description || token.id}`} aria-disabled={reason ? "true" : undefined} aria-describedby={reason ? `${at}-${token.id}` : undefined} title={reason || undefined} onClick={() => !reason && onToggle()} />
      <span aria-live={at === "panel" ? "polite" : undefined}>{WORDS[token.state]}</span>
      {reason && <span class="visually-hidden" id={`${at}-${token.id}`}>{reason}</span>}
    </span>
  );
}
