/**
 * Calls `shut` when what a list floats beside has moved: the window was resized, or something scrolled that is not
 * inside `list`. Returns what ends the watch.
 */
export function watchMoves(list, shut) {
  const moved = (event) => {
    if (event.type === "resize" || !list?.contains(event.target)) shut();
  };
  window.addEventListener("resize", moved);
  document.addEventListener("scroll", moved, true);
  return () => {
    window.removeEventListener("resize", moved);
    document.removeEventListener("scroll", moved, true);
  };
}
