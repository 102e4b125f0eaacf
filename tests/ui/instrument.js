// Runs before the page's own scripts: keeps what goes over the wire, and may answer in the server's place.
(() => {
  const wire = [];
  const forced = [];
  const real = window.fetch.bind(window);
  Object.defineProperty(window, "wire", { value: wire });
  Object.defineProperty(window, "forced", { value: forced });
  window.fetch = async (path, options = {}) => {
    const entry = { method: options.method ?? "GET", path: String(path), body: options.body ?? "", status: 0, text: "" };
    wire.push(entry);
    const at = forced.findIndex((one) => one.method === entry.method && entry.path.includes(one.path));
    if (at >= 0) {
      const [{ status, body }] = forced.splice(at, 1);
      entry.status = status;
      entry.text = body;
      return new Response(body, { status });
    }
    const answer = await real(path, options);
    entry.status = answer.status;
    entry.text = await answer.clone().text();
    return answer;
  };
  window.addEventListener("unhandledrejection", (event) => console.error(`unhandled rejection: ${event.reason}`));
  window.addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
})();
