/** What a list shows while it loads, when it is empty, or when loading failed. */
export function State({ loading, error, onRetry, empty, children }) {
  if (error) {
    return (
      <div class="state" role="alert">
        <p class="bad">{error}</p>
        <button type="button" onClick={onRetry}>Retry</button>
      </div>
    );
  }
  if (loading) {
    return (
      <div class="state" aria-busy="true">
        <div class="skeleton" />
        <div class="skeleton" />
        <div class="skeleton" />
        <span class="visually-hidden">Loading</span>
      </div>
    );
  }
  return empty ? <div class="state">{empty}</div> : children;
}
