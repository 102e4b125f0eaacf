import { useCallback, useEffect, useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { Confirm, Dialog } from "../../parts/Dialog.jsx";
import { Field } from "../../parts/Field.jsx";
import { Menu } from "../../parts/Menu.jsx";
import { State } from "../../parts/Page.jsx";
import { sorted, Table } from "../../parts/Table.jsx";
import { Copy } from "../../parts/Copy.jsx";
import { Icon } from "../../parts/Icon.jsx";

export function Users() {
  const { api, me, query, setQuery, toast, isGone, revived } = usePage();
  const [users, setUsers] = useState(null);
  const [error, setError] = useState("");
  const [dialog, setDialog] = useState(null);
  const load = useCallback(async () => {
    try {
      setUsers(await api.pages("/api/v2/users", "users"));
      setError("");
    } catch (failure) {
      setError(`Could not load users: ${failure.message}`);
    }
  }, []);
  useEffect(() => {
    load();
  }, [load, revived]);
  const shown = sorted((users ?? []).filter((u) => u.name.toLowerCase().includes((query.q ?? "").toLowerCase())), (u) => u.name, "asc");
  const setStatus = async (user, status) => {
    try {
      await api.patch(`/api/v2/users/${user.id}`, { status });
      toast(status === "active" ? "User activated" : "User deactivated: tokens and sessions stop working");
      load();
    } catch (failure) {
      if (isGone(failure, "This user")) load();
      else setError(failure.message);
    }
  };
  const done = (text) => {
    setDialog(null);
    if (text) toast(text);
    load();
  };
  return (
    <>
      <div class="bar">
        <label class="filter"><span class="visually-hidden">Filter users</span><input data-filter type="search" placeholder="Filter by name" value={query.q ?? ""} onInput={(e) => setQuery({ q: e.currentTarget.value })} /></label>
        <button type="button" class="primary" onClick={() => setDialog({ kind: "create" })}>Create user</button>
      </div>
      {error && users && <p class="alert bad" role="alert">{error}</p>}
      <State loading={!users && !error} error={users ? "" : error} onRetry={load} empty={users?.length === 0 ? <p>No users you can see</p> : users && shown.length === 0 ? <><p>No user matches your filter</p><button type="button" onClick={() => setQuery({ q: "" })}>Clear the filter</button></> : null}>
        <Table
          label="Users"
          columns={[
            { id: "name", label: "Name", class: "grow", cell: (u) => <>{u.name} {u.id === me.id && <span class="badge">you</span>}</> },
            { id: "status", label: "Status", cell: (u) => <span class={`status ${u.status}`}>{u.status === "active" ? "● active" : "○ inactive"}</span> },
            { id: "id", label: "Id", cell: (u) => <span class="mono">{u.id} <Copy text={u.id} label={`Copy id of ${u.name}`} /></span> },
            {
              id: "menu", label: "", class: "narrow menu-cell",
              cell: (u) => (
                <Menu
                  label={`Actions for ${u.name}`}
                  items={[
                    { label: "Set password", onSelect: () => setDialog({ kind: "password", user: u }) },
                    u.status === "active"
                      ? { label: "Deactivate", reason: u.id === me.id ? "you cannot deactivate yourself here" : "", onSelect: () => setDialog({ kind: "deactivate", user: u }) }
                      : { label: "Activate", onSelect: () => setStatus(u, "active") },
                    { label: "Delete", danger: true, reason: u.id === me.id ? "you cannot delete yourself here" : "", onSelect: () => setDialog({ kind: "delete", user: u }) },
                  ]}
                >
                  <Icon name="more" />
                </Menu>
              ),
            },
          ]}
          rows={shown}
          rowKey={(u) => u.id}
          rowName={(u) => u.name}
        />
      </State>
      {dialog?.kind === "create" && <Create onClose={() => setDialog(null)} onDone={() => done("User created")} />}
      {dialog?.kind === "password" && <SetPassword user={dialog.user} onClose={() => setDialog(null)} onDone={() => done("Password set; sessions of this user have ended")} onGone={() => done()} />}
      {dialog?.kind === "deactivate" && (
        <Confirm title="Deactivate this user?" action="Deactivate" onClose={() => setDialog(null)} onConfirm={() => { setDialog(null); setStatus(dialog.user, "inactive"); }}>
          <p>All tokens and sessions of <strong>{dialog.user.name}</strong> stop working at once.</p>
        </Confirm>
      )}
      {dialog?.kind === "delete" && <Delete user={dialog.user} onClose={() => setDialog(null)} onDone={() => done("User deleted")} onGone={() => done()} />}
    </>
  );
}

function Create({ onClose, onDone }) {
  const { api } = usePage();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  // Made already, when only the password was refused: the next try sets that alone.
  const [made, setMade] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    setError("");
    if (name.includes(":")) {
      setError("A username must not contain a colon");
      return;
    }
    try {
      const user = made ?? (await api.post("/api/v2/users", { name }));
      setMade(user);
      if (password) {
        try {
          await api.post(`/api/v2/users/${user.id}/password`, { password });
        } catch (failure) {
          setError(`The user was created, but has no password: ${failure.message}`);
          return;
        }
      }
      onDone();
    } catch (failure) {
      setError(failure.message);
    }
  };
  return (
    <Dialog title="Create user" onClose={onClose} footer={<><button type="button" onClick={onClose}>Cancel</button><button type="submit" form="create-user" class="primary">Create</button></>}>
      <form id="create-user" onSubmit={submit}>
        {error && <p class="alert bad" role="alert">{error}</p>}
        <Field label="Name" required readOnly={Boolean(made)} value={name} autocomplete="off" spellcheck={false} onInput={(e) => setName(e.currentTarget.value)} />
        <Field label="Initial password" type="password" autocomplete="new-password" value={password} hint={password ? "8 to 72 bytes" : "8 to 72 bytes; without one the user cannot sign in"} onInput={(e) => setPassword(e.currentTarget.value)} />
      </form>
    </Dialog>
  );
}

function SetPassword({ user, onClose, onDone, onGone }) {
  const { api, isGone } = usePage();
  const [password, setPassword] = useState("");
  const [error, setError] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    try {
      await api.post(`/api/v2/users/${user.id}/password`, { password });
      onDone();
    } catch (failure) {
      if (isGone(failure, "This user")) onGone();
      else setError(failure.message);
    }
  };
  return (
    <Dialog title={`Set the password of ${user.name}`} onClose={onClose} footer={<><button type="button" onClick={onClose}>Cancel</button><button type="submit" form="set-password" class="primary">Set password</button></>}>
      <form id="set-password" onSubmit={submit}>
        {error && <p class="alert bad" role="alert">{error}</p>}
        <Field label="New password" type="password" required autocomplete="new-password" hint="8 to 72 bytes" value={password} onInput={(e) => setPassword(e.currentTarget.value)} />
      </form>
    </Dialog>
  );
}

function Delete({ user, onClose, onDone, onGone }) {
  const { api, isGone } = usePage();
  const [count, setCount] = useState(null);
  const [error, setError] = useState("");
  useEffect(() => {
    api.tokens(`?userID=${user.id}`).then((all) => setCount(all.length), () => {});
  }, []);
  return (
    <Confirm
      title="Delete this user?"
      action="Delete user"
      error={error}
      onClose={onClose}
      onConfirm={async () => {
        try {
          await api.delete(`/api/v2/users/${user.id}`);
          onDone();
        } catch (failure) {
          if (isGone(failure, "This user")) onGone();
          else setError(failure.message);
        }
      }}
    >
      <p><strong>{user.name}</strong> can no longer sign in.{count > 0 && ` ${count} token${count > 1 ? "s" : ""} of this user stop working and are deleted.`} This cannot be undone.</p>
    </Confirm>
  );
}
