/** Entry of the live page. */

import "./style/index.css";
import { render } from "preact";
import { App } from "./app.tsx";
import { listenToKeys } from "./keys.ts";
import { loginByLink } from "./login.tsx";
import { http } from "./store/http.ts";
import { start } from "./store/live.ts";
import { keepPast } from "./store/past.ts";
import { applyTheme } from "./store/signals.ts";
import { useSource } from "./store/source.ts";
import { keepFresh } from "./store/view.ts";

useSource(http);
applyTheme();
render(<App />, document.getElementById("app")!);
listenToKeys();
void loginByLink().then(() => {
  start();
  keepPast();
  keepFresh();
});
