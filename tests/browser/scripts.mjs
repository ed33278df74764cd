/** Scenarios that the tests run, and change under the server's eyes. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { scratch } from "./harness.mjs";

/** Writes a script, and gives its path. Saving it again is what an editor does. */
export function save(name, text) {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
}

/** Users that ask for /hello, so many milliseconds apart; `more` comes before the class. */
export const greeter = ({ wait = 50, path = "/hello", more = "" } = {}) => `${more}
user("Greeter", #{
    wait_time: constant(${wait / 1000}),
    greet: task(|| {
        this.client.get("${path}");
    }),
});
`;

export const SECRET = "hunter2-never-shown";

export const PARAMETERS = `
const LANGUAGE = param("language", "en", #{ help: "Accept-Language to send", choices: ["en", "ko"] });
const PAGES = param("pages", 3, #{ help: "pages a visitor looks at" });
const POLITE = param("polite", false);
const GREETING = param("greeting", "hello");
const FACTOR = param("factor", 1.5);
const SECTIONS = param("sections", ["new"], #{ choices: ["new", "old", "sale"] });
const KEY = param("api_key", "", #{ secret: true });

user("Visitor", #{
    wait_time: constant(0.05),
    headers: #{ "X-Api-Key": KEY },
    look: task(|| {
        let name = \`/anything/\${LANGUAGE}-\${PAGES}-\${POLITE}-\${GREETING}-\${FACTOR}-\${SECTIONS.len()}\`;
        this.client.get(name);
        if KEY != "${SECRET}" { throw "the key did not come"; }
    }),
});
`;

/** As many names as asked for, each of them requested over and over: ten users share them. */
export const manyNames = (count) => `
user("Many", #{
    wait_time: constant(0.01),
    one: task(|| {
        let at = (vu_iteration() * 10 + vu_id()) % ${count};
        this.client.get("/hello", #{ name: \`/products/\${at}\` });
    }),
});
`;
