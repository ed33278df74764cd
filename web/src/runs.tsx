/** The runs of this process: looking at one, comparing two. */

import { useState } from "preact/hooks";
import type { RunHead } from "./api.ts";
import { clock, integer, localTime, ms, rate, share } from "./format.ts";
import { stateWord } from "./header/header.tsx";
import { Icon } from "./icons.tsx";
import { refreshRuns } from "./store/live.ts";
import { go, route } from "./store/route.ts";
import { current, isFormOpen, runs } from "./store/signals.ts";
import { source } from "./store/source.ts";

export function Runs() {
  const [chosen, setChosen] = useState<number[]>([]);
  const list = runs.value;
  if (!source().isLive || list.length === 0) return null;
  const [b, a] = [...chosen].sort((x, y) => y - x);
  const close = () => document.getElementById("runs")?.hidePopover();
  return (
    <>
      <button type="button" class="quiet" popovertarget="runs" onClick={() => void refreshRuns()}>
        Runs {list.length} <Icon name="down" />
      </button>
      <div id="runs" popover="auto" class="popover">
        <table class="plain runs">
          <thead>
            <tr>
              <th scope="col">
                <span class="sr">Compare</span>
              </th>
              <th scope="col">Run</th>
              <th scope="col">Began</th>
              <th scope="col" class="num">
                Length
              </th>
              <th scope="col" class="num">
                Users
              </th>
              <th scope="col" class="num">
                req/s
              </th>
              <th scope="col" class="num">
                p95 <small>ms</small>
              </th>
              <th scope="col" class="num">
                Failed
              </th>
            </tr>
          </thead>
          <tbody>
            {[...list].reverse().map((head) => (
              <RunLine
                key={head.run}
                head={head}
                isChosen={chosen.includes(head.run)}
                onChoose={(isOn) =>
                  setChosen(
                    isOn
                      ? [...chosen, head.run].slice(-2)
                      : chosen.filter((run) => run !== head.run),
                  )
                }
                onOpen={() => {
                  isFormOpen.value = false;
                  const isCurrent = head.run === current.peek()?.run;
                  go({ run: isCurrent ? null : head.run, window: { kind: "whole" }, chosen: [] });
                  close();
                }}
              />
            ))}
          </tbody>
        </table>
        <p class="popover-foot">
          <button
            type="button"
            disabled={a === undefined || b === undefined}
            onClick={() => {
              isFormOpen.value = false;
              go({
                tab: "statistics",
                window: { kind: "compare", a: String(a), b: String(b) },
                chosen: [],
              });
              close();
            }}
          >
            {a !== undefined && b !== undefined ? `Compare run ${a} with run ${b}` : "Compare two"}
          </button>
        </p>
      </div>
    </>
  );
}

interface LineProps {
  head: RunHead;
  isChosen: boolean;
  onChoose: (isOn: boolean) => void;
  onOpen: () => void;
}

function RunLine({ head, isChosen, onChoose, onOpen }: LineProps) {
  const isShown = (route.value.run ?? current.value?.run) === head.run;
  return (
    <tr class={isShown ? "chosen" : undefined}>
      <td>
        <input
          type="checkbox"
          aria-label={`Compare run ${head.run}`}
          checked={isChosen}
          onChange={(event) => onChoose(event.currentTarget.checked)}
        />
      </td>
      <th scope="row">
        <button type="button" class="link" onClick={onOpen}>
          {head.run} {head.label && <span>{head.label}</span>}
        </button>
      </th>
      <td>{head.epoch_us === null ? stateWord(head.state) : localTime(head.epoch_us)}</td>
      <td class="num">{clock(head.duration_s)}</td>
      <td class="num">{integer(head.users_peak)}</td>
      <td class="num">{rate(head.rps)}</td>
      <td class="num">{ms(head.p95_us)}</td>
      <td class={head.failures > 0 ? "num bad" : "num"}>{share(head.failures, head.requests)}</td>
    </tr>
  );
}
