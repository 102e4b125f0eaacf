import { useId } from "preact/hooks";

/** A labelled input with a hint, a warning and an error (`alert`: said at once). Other props go to the input. */
export function Field({ label, hint, warning, error, alert = false, as: As = "input", children, trailing, ...input }) {
  const id = useId();
  const described = [hint && `${id}-hint`, warning && `${id}-warning`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="field-row">
        <As id={id} aria-invalid={error ? "true" : undefined} aria-describedby={described} {...input}>
          {children}
        </As>
        {trailing}
      </div>
      {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
      {warning && <p class="warn small" id={`${id}-warning`}>{warning}</p>}
      {error && <p class="error" role={alert ? "alert" : undefined} id={`${id}-error`}>{error}</p>}
    </div>
  );
}

/** A check box with its label. */
export function Check({ label, ...input }) {
  const id = useId();
  return (
    <div class="check">
      <input type="checkbox" id={id} {...input} />
      <label for={id}>{label}</label>
    </div>
  );
}

/** A button that may be denied: still focusable, with the reason said. */
export function Action({ reason, onClick, children, class: className, ...rest }) {
  const id = useId();
  return (
    <>
      <button
        type="button"
        class={className}
        aria-disabled={reason ? "true" : undefined}
        aria-describedby={reason ? id : undefined}
        title={reason}
        onClick={(event) => {
          if (!reason) onClick?.(event);
        }}
        {...rest}
      >
        {children}
      </button>
      {reason && <span class="visually-hidden" id={id}>{reason}</span>}
    </>
  );
}
