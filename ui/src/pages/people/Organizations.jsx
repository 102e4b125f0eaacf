import { useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { absolute } from "../../lib/time.js";
import { Dialog } from "../../parts/Dialog.jsx";
import { Field } from "../../parts/Field.jsx";
import { State } from "../../parts/Page.jsx";
import { sorted, Table } from "../../parts/Table.jsx";
import { Copy } from "../../parts/Copy.jsx";
import { Link } from "../Shell.jsx";

export function Organizations() {
  const { api, orgs, refreshOrgs, query, setQuery, toast, tz } = usePage();
  const [open, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [error, setError] = useState("");
  const shown = sorted(orgs.filter((o) => o.name.toLowerCase().includes((query.q ?? "").toLowerCase())), (o) => o.name, "asc");
  const submit = async (event) => {
    event.preventDefault();
    setError("");
    try {
      await api.post("/api/v2/orgs", { name, description });
      await refreshOrgs();
      setOpen(false);
      setName("");
      setDescription("");
      toast("Organization created");
    } catch (failure) {
      setError(failure.message);
    }
  };
  return (
    <>
      <div class="bar">
        <label class="filter"><span class="visually-hidden">Filter organizations</span><input data-filter type="search" placeholder="Filter by name" value={query.q ?? ""} onInput={(e) => setQuery({ q: e.currentTarget.value })} /></label>
        <button type="button" class="primary" onClick={() => setOpen(true)}>Create organization</button>
      </div>
      <State empty={orgs.length === 0 ? <p>No organizations you can see</p> : shown.length === 0 ? <><p>No organization matches your filter</p><button type="button" onClick={() => setQuery({ q: "" })}>Clear the filter</button></> : null}>
        <Table
          label="Organizations"
          columns={[
            { id: "name", label: "Name", class: "grow", cell: (o) => <Link to={`/orgs/${o.id}/settings`}>{o.name}</Link> },
            { id: "description", label: "Description", cell: (o) => o.description ?? "" },
            { id: "created", label: "Created", cell: (o) => absolute(o.createdAt, tz) },
            { id: "id", label: "Id", cell: (o) => <span class="mono">{o.id} <Copy text={o.id} label={`Copy id of ${o.name}`} /></span> },
          ]}
          rows={shown}
          rowKey={(o) => o.id}
          rowName={(o) => o.name}
        />
      </State>
      {open && (
        <Dialog title="Create organization" onClose={() => setOpen(false)} footer={<><button type="button" onClick={() => setOpen(false)}>Cancel</button><button type="submit" form="create-org" class="primary">Create</button></>}>
          <form id="create-org" onSubmit={submit}>
            {error && <p class="alert bad" role="alert">{error}</p>}
            <Field label="Name" required value={name} onInput={(e) => setName(e.currentTarget.value)} />
            <Field label="Description" value={description} onInput={(e) => setDescription(e.currentTarget.value)} />
          </form>
        </Dialog>
      )}
    </>
  );
}
