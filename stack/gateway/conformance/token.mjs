// The suite sends no token, and the gateway lets nobody in without one: each of the suite's requests gets it here.
import { createRequire } from "node:module";

const require = createRequire(process.argv[1]);
const { Agent, setGlobalDispatcher } = require("undici");
const authorization = `Bearer ${process.env.GATEWAY_TOKEN}`;

// Both `fetch` and `undici.request` go through the one dispatcher.
const withToken = (dispatch) => (options, handler) => {
  const headers = options.headers ?? {};
  const added = Array.isArray(headers)
    ? [...headers, "authorization", authorization]
    : typeof headers[Symbol.iterator] === "function"
      ? [...headers, ["authorization", authorization]]
      : { ...headers, authorization };
  return dispatch({ ...options, headers: added }, handler);
};
setGlobalDispatcher(new Agent().compose(withToken));
