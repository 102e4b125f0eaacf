// What every part of the page may use: the client, who is signed in, where we are, how to say things.

import { createContext } from "preact";
import { useContext } from "preact/hooks";

export const Page = createContext(null);

/** {api, me, org, orgs, hint, flags, route, query, navigate, setQuery, toast, tz, refreshHint, …} */
export const usePage = () => useContext(Page);
