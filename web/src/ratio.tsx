/** How often each task runs: per class, and of all. */

import { useEffect, useState } from "preact/hooks";
import type { Ratio, RatioNode } from "./api.ts";
import { Bar } from "./bar.tsx";
import { Scroll } from "./scroll.tsx";
import type { Run } from "./store/run.ts";
import { source } from "./store/source.ts";

export function Ratios({ run }: { run: Run }) {
  const [ratio, setRatio] = useState<Ratio | null>(null);
  const [trouble, setTrouble] = useState("");
  const generation = run.generations.length;
  useEffect(() => {
    source()
      .ratio(run.run)
      .then(setRatio, (error: unknown) => setTrouble(String(error)));
  }, [run.run, generation, run.users.asked]);
  if (!ratio) return <p class="empty">{trouble || "…"}</p>;
  return (
    <Scroll label="Ratio of tasks" class="halves">
      <section>
        <h2>Per user class</h2>
        <Tree nodes={ratio.per_class} />
      </section>
      <section>
        <h2>Of all users</h2>
        <Tree nodes={ratio.total} />
      </section>
    </Scroll>
  );
}

function Tree({ nodes }: { nodes: Record<string, RatioNode> }) {
  return (
    <ul class="tree">
      {Object.entries(nodes).map(([name, node]) => (
        <li key={name}>
          <p>
            <span class="task">{name}</span>
            <Bar share={node.ratio} />
            <span class="num">{(node.ratio * 100).toFixed(1)} %</span>
          </p>
          {node.tasks && <Tree nodes={node.tasks} />}
        </li>
      ))}
    </ul>
  );
}
