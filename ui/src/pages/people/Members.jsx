import { useCallback, useEffect, useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { Combobox } from "../../parts/Combobox.jsx";
import { Confirm, Dialog } from "../../parts/Dialog.jsx";
import { Action, Field } from "../../parts/Field.jsx";
import { Menu } from "../../parts/Menu.jsx";
import { State } from "../../parts/Page.jsx";
import { Table } from "../../parts/Table.jsx";
import { Copy } from "../../parts/Copy.jsx";
import { Icon } from "../../parts/Icon.jsx";

export function Members() {
  const { api, org, me, toast, may, revived } = usePage();
  const [people, setPeople] = useState(null);
  const [error, setError] = useState("");
  // What an action met with; loading the list anew does not take it away.
  const [trouble, setTrouble] = useState("");
  const [dialog, setDialog] = useState(null);
  const load = useCallback(async () => {
    try {
      const [owners, members] = await Promise.all(["owners", "members"].map((kind) => api.get(`/api/v2/orgs/${org.id}/${kind}`)));
      setPeople([...owners.users, ...members.users]);
      setError("");
    } catch (failure) {
      setError(`Could not load members: ${failure.message}`);
    }
  }, [org.id]);
  useEffect(() => {
    load();
  }, [load, revived]);
  const reason = may("write", { type: "orgs", id: org.id }) ? "" : `needs write on ${org.name}`;
  const move = async (person, role) => {
    setTrouble("");
    try {
      await api.delete(`/api/v2/orgs/${org.id}/members/${person.id}`);
      try {
        await api.post(`/api/v2/orgs/${org.id}/${role}s`, { id: person.id });
        toast(`${person.name} is now ${role === "owner" ? "an owner" : "a member"}`);
      } catch (failure) {
        setTrouble(`${person.name} was removed, but could not be added as ${role}: ${failure.message}`);
      }
      load();
    } catch (failure) {
      setTrouble(failure.message);
    }
  };
  const owners = (people ?? []).filter((p) => p.role === "owner");
  return (
    <>
      <div class="bar">
        <span class="mute" aria-live="polite">{people ? `${people.length} ${people.length === 1 ? "person" : "people"} in ${org.name}` : ""}</span>
        <span class="spacer" />
        <Action class="primary" reason={reason} onClick={() => setDialog({ kind: "add" })}>Add member</Action>
      </div>
      {trouble && <p class="alert bad" role="alert">{trouble}</p>}
      {error && people && <p class="alert bad" role="alert">{error}</p>}
      <State loading={!people && !error} error={people ? "" : error} onRetry={load} empty={people?.length === 0 ? <p>No members you can see</p> : null}>
        <Table
          label="Members"
          columns={[
            { id: "name", label: "Name", class: "grow", cell: (p) => <>{p.name} {p.id === me.id && <span class="badge">you</span>}</> },
            { id: "role", label: "Role", cell: (p) => p.role },
            { id: "status", label: "Status", cell: (p) => <span class={`status ${p.status}`}>{p.status === "active" ? "● active" : "○ inactive"}</span> },
            { id: "id", label: "Id", cell: (p) => <span class="mono">{p.id} <Copy text={p.id} label={`Copy id of ${p.name}`} /></span> },
            {
              id: "menu", label: "", class: "narrow menu-cell",
              cell: (p) => (
                <Menu
                  label={`Actions for ${p.name}`}
                  items={[
                    p.role === "owner"
                      ? { label: "Make a member", reason, onSelect: () => (owners.length === 1 ? setDialog({ kind: "demote", person: p }) : move(p, "member")) }
                       : { label: "Make an owner", reason, onSelect: () => move(p, "owner") },
                    { label: "Remove", danger: true, reason, onSelect: () => setDialog({ kind: "remove", person: p }) },
                  ]}
                >
                  <Icon name="more" />
                </Menu>
              ),
            },
          ]}
          rows={people ?? []}
          rowKey={(p) => p.id}
          rowName={(p) => p.name}
        />
      </State>
      {dialog?.kind === "add" && <Add org={org} onClose={() => setDialog(null)} onDone={() => { setDialog(null); toast("Member added"); load(); }} />}
      {dialog?.kind === "demote" && (
        <Confirm title="Make the last owner a member?" action="Make a member" onClose={() => setDialog(null)} onConfirm={() => { setDialog(null); move(dialog.person, "member"); }}>
          <p class="alert warn"><strong>{dialog.person.name}</strong> is the last owner of {org.name}. Without one, only an operator can change it or add members.</p>
        </Confirm>
      )}
      {dialog?.kind === "remove" && (
        <Confirm
          title="Remove this member?"
          action="Remove"
          onClose={() => setDialog(null)}
          onConfirm={async () => {
            setTrouble("");
            try {
              await api.delete(`/api/v2/orgs/${org.id}/members/${dialog.person.id}`);
              toast("Member removed");
            } catch (failure) {
              setTrouble(failure.message);
            }
            setDialog(null);
            load();
          }}
        >
          <p><strong>{dialog.person.name}</strong> no longer sees {org.name}. Tokens that this user owns here go on working.</p>
          {dialog.person.role === "owner" && owners.length === 1 && <p class="alert warn">This is the last owner of {org.name}.</p>}
        </Confirm>
      )}
    </>
  );
}

function Add({ org, onClose, onDone }) {
  const { api } = usePage();
  const [who, setWho] = useState("");
  const [role, setRole] = useState("member");
  const [error, setError] = useState("");
  const [known, setKnown] = useState([]);
  useEffect(() => {
    api.pages("/api/v2/users", "users").then(setKnown, () => {});
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    setError("");
    try {
      const name = who.trim();
      const found = known.find((u) => u.name === name);
      if (!found && !/^[0-9a-f]{16}$/.test(name)) {
        setError(`You cannot see a user called ${name}. Its id, 16 characters long, works too.`);
        return;
      }
      await api.post(`/api/v2/orgs/${org.id}/${role}s`, { id: found?.id ?? name });
      onDone();
    } catch (failure) {
      setError(failure.message);
    }
  };
  return (
    <Dialog title={`Add a member to ${org.name}`} onClose={onClose} footer={<><button type="button" onClick={onClose}>Cancel</button><button type="submit" form="add-member" class="primary">Add</button></>}>
      <form id="add-member" onSubmit={submit}>
        {error && <p class="alert bad" role="alert">{error}</p>}
        <Combobox label="User" required free value={who} hint={known.length > 1 ? "Pick one, or type a name or an id" : "The exact name, where you may see it, or the id"} options={known.map((u) => ({ value: u.name, text: u.name, note: u.status === "inactive" ? "inactive" : "" }))} onPick={setWho} />
        <Field label="Role" as="select" value={role} onChange={(e) => setRole(e.currentTarget.value)}>
          <option value="member">Member: reads everything in {org.name}</option>
          <option value="owner">Owner: reads and changes everything in {org.name}</option>
        </Field>
      </form>
    </Dialog>
  );
}
