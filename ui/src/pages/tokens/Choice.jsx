import { useEffect, useId, useState } from "preact/hooks";
import { allows, spell } from "../../lib/perms.js";

const ACTIONS = ["read", "write"];
// More rows than these are found by the filter.
const MOST = 200;

/** One box of the grid: a permission, on or off; denied where the caller lacks it, settled where a wider one holds. */
function Box({ label, wanted, picked, onSet, hint, covered, refused }) {
  const id = useId();
  const name = spell(wanted);
  const on = picked.has(name);
  const lacking = !allows(hint, wanted);
  return (
    <td class={`narrow${refused === name ? " refused" : ""}`}>
      <input
        type="checkbox"
        aria-label={label}
        title={lacking ? `needs ${name}` : undefined}
        aria-disabled={lacking && !on ? "true" : undefined}
        aria-describedby={lacking ? id : undefined}
        disabled={covered}
        checked={covered || on}
        onClick={(e) => {
          // Denied, but still to be reached and read; what a clone brought along can be taken away.
          if (lacking && !on) e.preventDefault();
        }}
        onChange={(e) => onSet(e.currentTarget.checked)}
      />
      {lacking && <span class="visually-hidden" id={id}>needs {name}</span>}
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

/** A group: its widest permission, and beneath it, when open, what it consists of. */
function Group({ group, listed, open, onToggle, picked, set, hint, refused }) {
  const { title, words, reach, wide, items, note } = group;
  const all = (action) => ({ action, resource: wide });
  const one = (action, item) => ({ action, resource: { ...wide, id: item.id } });
  const covered = (action) => picked.has(spell(all(action)));
  const label = items ? (action) => `${action} all ${words}, including future ones` : (action) => `${action} ${words}`;
  const chosen = items ? ACTIONS.flatMap((action) => items.map((item) => spell(one(action, item)))).filter((name) => picked.has(name)).length : 0;
  const shared = { picked, hint, refused };
  return (
    <tbody>
      <tr class="group">
        <th scope="row">
          {onToggle && items ? <button type="button" class="disclose" aria-expanded={open} onClick={onToggle}>{title}</button> : <span class={onToggle ? "undisclosed" : undefined}>{title}</span>}{" "}
          <span class="mute">{reach}</span> {chosen > 0 && <span class="badge">{chosen} chosen</span>}
        </th>
        {ACTIONS.map((action) => (
          // What the wide permission covers is not asked for again.
          <Box key={action} label={label(action)} wanted={all(action)} onSet={(on) => set([all(action)], on, on && items ? items.map((item) => one(action, item)) : [])} {...shared} />
        ))}
      </tr>
      {open && items && listed.length > 1 && (
        <tr>
          <th scope="row" class="child"><em>All listed</em></th>
          {ACTIONS.map((action) => (
            <Several
              key={action}
              label={`${action} all listed ${words}`}
              wanted={listed.map((item) => one(action, item)).filter((p) => allows(hint, p))}
              covered={covered(action)}
              picked={picked}
              set={set}
            />
          ))}
        </tr>
      )}
      {open && items && listed.slice(0, MOST).map((item) => (
        <tr key={item.id}>
          <th scope="row" class="child" title={item.name}>{item.name} {item.type === "system" && <span class="badge">system</span>}</th>
          {ACTIONS.map((action) => (
            <Box key={action} label={`${action} ${item.name}`} wanted={one(action, item)} covered={covered(action)} onSet={(on) => set([one(action, item)], on)} {...shared} />
          ))}
        </tr>
      ))}
      {open && items && (note || listed.length > MOST) && (
        <tr><td colSpan={3} class="mute child">{note || `and ${listed.length - MOST} more: use the filter`}</td></tr>
      )}
    </tbody>
  );
}

/**
 * What a token may do, to be ticked: groups of resources in one table, with a filter over all of them.
 * `groups`: {type, title, words, reach, wide, items, note}, without items where only the whole can be given;
 * `onNeed(types)` asks for the items of groups that are opened or searched. One group alone is always open.
 */
export function Choice({ legend, groups, picked, set, hint, refused, onNeed }) {
  const [filter, setFilter] = useState("");
  const begun = groups.filter(({ type, wide }) => type === "buckets" || [...picked.values()].some((p) => p.resource.type === type && p.resource.id && p.resource.id !== wide.id));
  const [opened, setOpened] = useState(() => new Set(begun.map((group) => group.type)));
  const alone = groups.length === 1;
  const has = (text) => text.toLowerCase().includes(filter.toLowerCase());
  useEffect(() => {
    onNeed(filter ? groups.map((group) => group.type) : [...opened]);
  }, [opened, Boolean(filter)]);
  const rows = groups
    .map((group) => {
      // A group whose own name is searched for shows all that it holds.
      const named = !alone && (has(group.title) || has(group.type));
      return { group, named, listed: (group.items ?? []).filter((item) => named || has(item.name)) };
    })
    .filter(({ named, listed }) => alone || named || listed.length > 0);
  const boxes = new Set(groups.flatMap(({ wide, items }) => ACTIONS.flatMap((action) => [wide, ...(items ?? []).map((item) => ({ ...wide, id: item.id }))].map((resource) => spell({ action, resource })))));
  const others = [...picked].filter(([name]) => !boxes.has(name));
  const shared = { picked, set, hint, refused };
  const toggle = (type) => {
    const next = new Set(opened);
    if (!next.delete(type)) next.add(type);
    setOpened(next);
  };
  return (
    <fieldset>
      <legend>{legend}</legend>
      <input type="search" aria-label="Filter what can be chosen" placeholder="Filter" value={filter} onInput={(e) => setFilter(e.currentTarget.value)} />
      <div class="grid-box" tabIndex={0} role="region" aria-label={`${legend} to choose`}>
        <table class="grid-table">
          <thead><tr><th scope="col">Resource</th><th scope="col" class="narrow">Read</th><th scope="col" class="narrow">Write</th></tr></thead>
          {rows.map(({ group, named, listed }) => (
            <Group
              key={group.type}
              group={group}
              listed={listed}
              open={alone || opened.has(group.type) || Boolean(filter && !named) || (Boolean(filter) && named && listed.length > 0) || refused.includes(`/${group.type}/`)}
              onToggle={alone ? null : () => toggle(group.type)}
              {...shared}
            />
          ))}
          {others.length > 0 && (
            <tbody>
              <tr class="group"><th scope="rowgroup" colSpan={3}>Other permissions</th></tr>
              {others.map(([name, permission]) => (
                <tr key={name}>
                  <th scope="row" class="child"><code>{name}</code></th>
                  {ACTIONS.map((action) =>
                    action === permission.action ? <Box key={action} label={name} wanted={permission} onSet={(on) => set([permission], on)} picked={picked} hint={hint} refused={refused} /> : <td key={action} />,
                  )}
                </tr>
              ))}
            </tbody>
          )}
        </table>
        {rows.length === 0 && <p class="mute">Nothing matches</p>}
      </div>
    </fieldset>
  );
}
