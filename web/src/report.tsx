/** Entry of the report: one file, its data inside. */

import "./style/index.css";
import { effect } from "@preact/signals";
import { render } from "preact";
import { listenToKeys } from "./keys.ts";
import { Report, Unreadable } from "./reportpage.tsx";
import { embedded, unpack } from "./store/embedded.ts";
import { fetchChosen } from "./store/live.ts";
import { route } from "./store/route.ts";
import { fromSnapshot } from "./store/run.ts";
import { applyTheme, connection, current, info, theme } from "./store/signals.ts";
import { useSource } from "./store/source.ts";
import { keepFresh } from "./store/view.ts";

async function open(): Promise<void> {
  const block = document.getElementById("katydid-run")?.textContent ?? "";
  const data = await unpack(block);
  const source = embedded(data);
  useSource(source);
  if (data.theme) theme.value = data.theme;
  applyTheme();
  current.value = fromSnapshot(data.snapshot);
  info.value = await source.info();
  connection.value = { kind: "live" };
  const { head } = data.snapshot;
  document.title = `${head?.label || head?.script || "run"} · Katydid report`;
  render(<Report />, document.getElementById("app")!);
  listenToKeys();
  keepFresh();
  effect(() => {
    if (route.value.chosen.length > 0) void fetchChosen();
  });
}

open().catch((error: unknown) => {
  console.error(error);
  render(<Unreadable reason={String(error)} />, document.getElementById("app")!);
});
