// The only way to the server. Failures are classified here; pages never parse raw responses.

/** A refused or failed request. `kind`: session, permission, inactive, forbidden, gone, invalid, busy, down. */
export class ApiError extends Error {
  constructor(kind, message, { status = 0, code = "", retryAfter = 0 } = {}) {
    super(message);
    this.name = "ApiError";
    this.kind = kind;
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** Which kind of failure an answer is (ui.md §2.2). */
export function classify(status, message, reason = "") {
  if (status === 401) {
    if (reason) return reason === "missing-permission" || reason === "inactive-token" ? "permission" : "session";
    return message === "unauthorized access" ? "session" : "permission";
  }
  if (status === 403) return message === "User is inactive" ? "inactive" : "forbidden";
  if (status === 404) return "gone";
  if (status === 429 || status === 503) return "busy";
  if (status >= 500) return "down";
  return "invalid";
}

/** A user name and password as Basic wants them: UTF-8 before base64. */
export function basic(user, password) {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return `Basic ${btoa(text)}`;
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * A client. `onSession` is asked when the session has ended and resolves to true when there is a new one; `onDown`
 * hears that the server could not be reached or failed, `onDenied` that it refused a change, `onWarning` what it
 * warned of beside its answer; `fetch` and `sleep` are handed in by tests.
 */
export function createApi({ fetch = (...args) => globalThis.fetch(...args), sleep = wait, onSession, onInactive, onDown, onDenied, onWarning } = {}) {
  async function once(method, path, { body, headers = {}, raw = false, signal } = {}) {
    let response;
    try {
      response = await fetch(path, {
        method,
        signal,
        credentials: "same-origin",
        cache: "no-store",
        headers: {
          ...(body !== undefined && typeof body !== "string" ? { "Content-Type": "application/json" } : {}),
          ...headers,
        },
        body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError("down", "The server cannot be reached.");
    }
    const warning = response.headers.get("X-Fluxkeep-Warning");
    if (warning) onWarning?.(warning);
    if (response.ok) {
      if (raw) return response;
      const text = await response.text();
      return text ? JSON.parse(text) : null;
    }
    const text = await response.text().catch(() => "");
    let message = text;
    let code = "";
    try {
      ({ message, code } = JSON.parse(text));
    } catch {
      // Not every refusal is JSON; the text is the message then.
    }
    const kind = classify(response.status, message, response.headers.get("X-Fluxkeep-Reason") ?? "");
    throw new ApiError(kind, message || `The server answered ${response.status}.`, {
      status: response.status,
      code,
      retryAfter: Number(response.headers.get("Retry-After")) || 0,
    });
  }

  async function call(method, path, options = {}) {
    try {
      return await once(method, path, options);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind === "inactive") onInactive?.(error);
      if (error.kind === "down") onDown?.(error);
      if ((error.kind === "permission" || error.kind === "forbidden") && method !== "GET") onDenied?.(error);
      if (error.kind === "session" && !options.signingIn && (await onSession?.())) {
        if (method === "GET") return once(method, path, options);
        // What changes something is not repeated unasked: it may have been done.
        throw new ApiError("session", "You are signed in again. Nothing was changed; please repeat.", { status: error.status });
      }
      if (error.kind === "busy" && method === "GET") {
        await sleep((error.retryAfter || 2) * 1000);
        return once(method, path, options);
      }
      throw error;
    }
  }

  // Asks for last use and rotation too, which the server tells only who wants them.
  const full = (path) => `${path}${path.includes("?") ? "&" : "?"}include=lifecycle`;

  /** Takes secrets out of what must not carry any. */
  const blind = (authorization) => ({ ...authorization, token: "" });

  return {
    call,
    get: (path, options) => call("GET", path, options),
    post: (path, body, options) => call("POST", path, { ...options, body }),
    patch: (path, body) => call("PATCH", path, { body }),
    put: (path, body, options) => call("PUT", path, { ...options, body }),
    delete: (path) => call("DELETE", path),
    signIn: (user, password) =>
      call("POST", "/api/v2/signin", { headers: { Authorization: basic(user, password) }, signingIn: true }),
    signOut: () => call("POST", "/api/v2/signout", { signingIn: true }),
    /** All tokens that the session may see; never with a secret. */
    async tokens(query = "") {
      const { authorizations } = await call("GET", full(`/api/v2/authorizations${query}`));
      return authorizations.map(blind);
    },
    /** A new secret for a token; the answer holds it. */
    renewToken: (id, how, wish) => call("POST", full(`/api/v2/authorizations/${id}/${how}`), { body: wish }),
    patchToken: async (id, change) => blind(await call("PATCH", full(`/api/v2/authorizations/${id}`), { body: change })),
    /** Pages of 100 until done. */
    async pages(path, member) {
      const all = [];
      for (let offset = 0; ; offset += 100) {
        const page = await call("GET", `${path}${path.includes("?") ? "&" : "?"}limit=100&offset=${offset}`);
        all.push(...page[member]);
        if (page[member].length < 100) return all;
      }
    },
  };
}
