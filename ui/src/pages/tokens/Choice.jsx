import { useState } from "preact/hooks";
import { allows, spell, TYPES } from "../../lib/perms.js";

const ACTIONS = ["read", "write"];

/** One box of a grid: a permission, on or off; denied where a wider one holds or the caller lacks it. */
function Box({ label, wanted, picked, onSet, hint, covered, refused }) {
  const lacking = !allows(hint, wanted);
  const name = spell(wanted);
  return (
    <td class={`narrow${refused === name ? " refused" : ""}`}>
      <input
        type="checkbox"
        aria-label={label}
        title={lacking ? `needs ${name}` : undefined}
        disabled={lacking || covered}
        checked={covered || picked.has(name)}
        onChange={(e) => onSet(e.currentTarget.checked)}
      />
    </td>
  );
}

/** One box for many permissions: part of them shows as mixed, and the next click sets them all. */
function Several({ label, wanted, picked, set, covered }) {
  const on = wanted.filter((p) => picked.has(spell(p))).length;
  return (
    <td class="narrow">
      <input
        type="checkbox"
        aria-label={label}
        disabled={covered || wanted.length === 0}
        checked={covered || (wanted.length > 0 && on === wanted.length)}
        ref={(e) => {
          if (e) e.indeterminate = !covered && on > 0 && on < wanted.length;
        }}
        onChange={() => set(wanted, on !== wanted.length)}
      />
    </td>
  );
}

function Grid({ head, region, children, note }) {
  return (
    <div class="grid-box" tabIndex={0} role="region" aria-label={region}>
      <table class="grid-table">
        <thead><tr><th scope="col">{head}</th><th scope="col" class="narrow">Read</th><th scope="col" class="narrow">Write</th></tr></thead>
        <tbody>{children}</tbody>
      </table>
      {note && <p class="mute">{note}</p>}
    </div>
  );
}

/** Resources of one type: all of them including future ones, all listed, or one by one. */
export function Each({ type, head, words, items, note, orgID, picked, set, hint, filter, refused }) {
  const listed = items.filter((item) => item.name.toLowerCase().includes(filter.toLowerCase()));
  const all = (action) => ({ action, resource: { type, orgID } });
  const one = (action, item) => ({ action, resource: { type, orgID, id: item.id } });
  const wide = (action) => picked.has(spell(all(action)));
  const shared = { picked, hint, refused };
  return (
    <Grid head={head} region={`${head}s to choose`} note={note}>
      <tr>
        <th scope="row">All {words}, including future ones</th>
        {ACTIONS.map((action) => (
          <Box
            key={action}
            label={`${action} all ${words}, including future ones`}
            wanted={all(action)}
            // What the wide permission covers is not asked for again.
            onSet={(on) => set([all(action)], on, on ? items.map((item) => one(action, item)) : [])}
            {...shared}
          />
        ))}
      </tr>
      <tr>
        <th scope="row">All listed</th>
        {ACTIONS.map((action) => (
          <Several
            key={action}
            label={`${action} all listed ${words}`}
            wanted={listed.map((item) => one(action, item)).filter((p) => allows(hint, p))}
            covered={wide(action)}
            picked={picked}
            set={set}
          />
        ))}
      </tr>
      {listed.map((item) => (
        <tr key={item.id}>
          <th scope="row">{item.name} {item.type === "system" && <span class="badge">system</span>}</th>
          {ACTIONS.map((action) => (
            <Box key={action} label={`${action} ${item.name}`} wanted={one(action, item)} covered={wide(action)} onSet={(on) => set([one(action, item)], on)} {...shared} />
          ))}
        </tr>
      ))}
    </Grid>
  );
}

/** Everything that a permission can name, in groups that open, and a search over all of them. */
export function Custom({ buckets, configurations, orgID, orgName, owner, picked, set, hint, refused }) {
  const [filter, setFilter] = useState("");
  const types = TYPES.filter((type) => type !== "buckets" && type !== "telegrafs").map((type) => {
    if (type === "orgs") return [type, `this organization, ${orgName}`, { type, id: orgID }];
    if (type === "users") return [type, "the owner's own account", { type, id: owner }];
    return [type, `all in ${orgName}`, { type, orgID }];
  });
  const has = (text) => text.toLowerCase().includes(filter.toLowerCase());
  // A group whose own name is searched for shows all that it holds.
  const groups = [
    ["Buckets", buckets.items, { type: "buckets", head: "Bucket", words: "buckets", note: buckets.note }],
    ["Telegraf configurations", configurations.items, { type: "telegrafs", head: "Telegraf configuration", words: "Telegraf configurations", note: configurations.note }],
  ].filter(([title, items]) => has(title) || items.some((item) => has(item.name)));
  const rows = types.filter(([type]) => has(type) || has("Everything else"));
  const count = (of) => {
    const n = [...picked.values()].filter((p) => of(p.resource.type)).length;
    return n > 0 && <span class="badge">{n} chosen</span>;
  };
  const shared = { picked, set, hint, refused };
  // Another key while searching, so that what is found is open and what was open before is so again afterwards.
  const state = filter ? "found" : "all";
  return (
    <fieldset>
      <legend>Permissions</legend>
      <input type="search" aria-label="Filter what can be chosen" placeholder="Filter" value={filter} onInput={(e) => setFilter(e.currentTarget.value)} />
      {groups.map(([title, items, rest]) => (
        <details key={`${title} ${state}`} open={Boolean(filter || refused) || rest.type === "buckets"}>
          <summary>{title} {count((type) => type === rest.type)}</summary>
          <Each items={items} orgID={orgID} filter={has(title) ? "" : filter} {...rest} {...shared} />
        </details>
      ))}
      {rows.length > 0 && (
        <details key={`else ${state}`} open={Boolean(filter || refused)}>
          <summary>Everything else {count((type) => type !== "buckets" && type !== "telegrafs")}</summary>
          <Grid head="Resource" region="Resource types to choose">
            <tr>
              <th scope="row">All listed</th>
              {ACTIONS.map((action) => (
                <Several key={action} label={`${action} all listed resources`} wanted={rows.map(([, , resource]) => ({ action, resource })).filter((p) => allows(hint, p))} picked={picked} set={set} />
              ))}
            </tr>
            {rows.map(([type, reach, resource]) => (
              <tr key={type}>
                <th scope="row">{type} <span class="mute">{reach}</span></th>
                {ACTIONS.map((action) => (
                  <Box key={action} label={`${action} ${type}`} wanted={{ action, resource }} onSet={(on) => set([{ action, resource }], on)} picked={picked} hint={hint} refused={refused} />
                ))}
              </tr>
            ))}
          </Grid>
        </details>
      )}
      {groups.length === 0 && rows.length === 0 && <p class="mute">Nothing matches</p>}
    </fieldset>
  );
}
