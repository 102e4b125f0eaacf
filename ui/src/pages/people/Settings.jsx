import { useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { Copy } from "../../parts/Copy.jsx";
import { Confirm } from "../../parts/Dialog.jsx";
import { Action, Field } from "../../parts/Field.jsx";

export function Settings() {
  const { api, org, toast, may, refreshOrgs, navigate } = usePage();
  const [name, setName] = useState(org.name);
  const [description, setDescription] = useState(org.description ?? "");
  const [error, setError] = useState("");
  const [deleting, setDeleting] = useState(false);
  const [typed, setTyped] = useState("");
  const reason = may("write", { type: "orgs", id: org.id }) ? "" : `needs write on ${org.name}`;
  const [held, setHeld] = useState(null);
  const ask = () => {
    setDeleting(true);
    const count = (list, what) => `${list.length} ${what}${list.length === 1 ? "" : "s"}`;
    Promise.all([api.pages(`/api/v2/buckets?orgID=${org.id}`, "buckets"), api.tokens(`?orgID=${org.id}`), ...["owners", "members"].map((kind) => api.get(`/api/v2/orgs/${org.id}/${kind}`))]).then(
      ([buckets, tokens, owners, members]) =>
        setHeld([
          `${count(buckets.filter((b) => b.type !== "system"), "bucket")} with all points`,
          `${count(tokens, "token")} that you can see, which stop working`,
          `the access of ${count([...owners.users, ...members.users], "member")}`,
          "its tasks, dashboards, labels, variables and Telegraf configurations",
        ]),
      () => {},
    );
  };
  const save = async () => {
    setError("");
    try {
      await api.patch(`/api/v2/orgs/${org.id}`, { name, description });
      await refreshOrgs();
      toast("Organization saved");
    } catch (failure) {
      setError(failure.message);
    }
  };
  return (
    <>
      <section class="panel" aria-label="Organization">
        {error && <p class="alert bad" role="alert">{error}</p>}
        <form onSubmit={(e) => { e.preventDefault(); if (!reason) save(); }}>
          <Field label="Name" required value={name} readOnly={Boolean(reason)} onInput={(e) => setName(e.currentTarget.value)} />
          <Field label="Description" value={description} readOnly={Boolean(reason)} onInput={(e) => setDescription(e.currentTarget.value)} />
          <p>Id <span class="mono">{org.id}</span> <Copy text={org.id} label="Copy id" /></p>
          <Action class="primary" reason={reason} onClick={save}>Save</Action>
        </form>
      </section>
      <section class="panel" aria-label="Danger">
        <h2>Delete this organization</h2>
        <p>Its buckets with all points, its tokens and its members' access go with it.</p>
        <Action class="danger-text" reason={reason} onClick={ask}>Delete organization</Action>
      </section>
      {deleting && (
        <Confirm
          title="Delete this organization?"
          action="Delete organization"
          typed={org.name}
          value={typed}
          onValue={setTyped}
          error={error}
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            try {
              await api.delete(`/api/v2/orgs/${org.id}`);
              toast("Organization deleted");
              await refreshOrgs();
              navigate("/", { replace: true });
            } catch (failure) {
              setError(failure.message);
            }
          }}
        >
          <p><strong>{org.name}</strong> is deleted, and with it{held ? ":" : " its buckets, points, tokens and tasks."}</p>
          {held && <ul>{held.map((line) => <li key={line}>{line}</li>)}</ul>}
          <p>This cannot be undone.</p>
        </Confirm>
      )}
    </>
  );
}
