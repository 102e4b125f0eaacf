import { useState } from "preact/hooks";
import { Icon } from "./Icon.jsx";

/** Copies text: by the clipboard, else by a selection; resolves to whether it worked. */
export async function copyText(text, input) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Denied: the selection copy below may still work.
    }
  }
  const box = input ?? document.createElement("textarea");
  if (!input) {
    box.value = text;
    box.className = "visually-hidden";
    (document.querySelector("dialog[open]") ?? document.body).append(box);
  }
  box.select();
  let done = false;
  try {
    done = document.execCommand("copy");
  } catch {
    done = false;
  }
  if (!input) box.remove();
  return done;
}

/** A small button that copies an id or a text and says so. */
export function Copy({ text, label }) {
  const [said, setSaid] = useState("");
  return (
    <button
      type="button"
      class="icon"
      aria-label={said || label}
      title={said || label}
      onClick={async () => {
        setSaid((await copyText(text)) ? "Copied" : "Press Ctrl+C");
        setTimeout(() => setSaid(""), 2000);
      }}
    >
      <Icon name={said === "Copied" ? "check" : "copy"} />
    </button>
  );
}
