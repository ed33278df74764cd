/** The plan: users over time, and what starting it would need. */

import type { Plan, Preview } from "../api.ts";
import { clock, integer, plural } from "../format.ts";

const WIDTH = 320;
const HEIGHT = 84;

export function PlanPreview({ preview }: { preview: Preview }) {
  const { plan, remarks } = preview;
  const isScarce = preview.files_needed > preview.files_allowed;
  return (
    <section class="plan" aria-label="Plan">
      <Curve plan={plan} />
      <p>{words(plan)}</p>
      <p class={isScarce ? "bad" : "muted"}>
        needs {integer(preview.files_needed)} of {integer(preview.files_allowed)} open files
      </p>
      {remarks.map((remark) => (
        <p key={remark.text} class={remark.level === "info" ? "muted" : remark.level}>
          {remark.text}
        </p>
      ))}
    </section>
  );
}

/** The second that the curve ends at; a plan without an end shows its last change and some. */
function horizon(plan: Plan): number {
  const last = plan.points[plan.points.length - 1]?.[0] ?? 0;
  return plan.end_s ?? Math.max(last * 1.4, last + 5);
}

function Curve({ plan }: { plan: Plan }) {
  const end = horizon(plan);
  const most = Math.max(1, plan.peak);
  const x = (second: number) => (Math.min(second, end) / end) * WIDTH;
  const y = (users: number) => HEIGHT - 1 - (users / most) * (HEIGHT - 6);
  const points = [...plan.points];
  const last = points[points.length - 1];
  if (last && last[0] < end) points.push([end, last[1]]);
  const line = points.map(([s, u], at) => `${at === 0 ? "M" : "L"}${x(s)} ${y(u)}`).join("");
  return (
    <figure>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <path class="plan-area" d={`${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`} />
        <path class="plan-line" d={line} />
      </svg>
      <figcaption>
        <span>0</span>
        <span>{plan.end_s === null ? "until stopped" : clock(plan.end_s)}</span>
      </figcaption>
    </figure>
  );
}

function words(plan: Plan): string {
  if (plan.is_live) return "the script decides the users as it goes";
  const end = plan.end_s === null ? "until stopped" : `until ${clock(plan.end_s)}`;
  const [first, second] = plan.points;
  if (plan.points.length === 2 && first && second) {
    const ramp = second[0] - first[0];
    if (ramp <= 0) return `${plural(second[1], "user")} at once, ${end}`;
    return `${integer(first[1])} → ${plural(second[1], "user")} in ${clock(ramp)}, then constant, ${end}`;
  }
  return `at most ${plural(plan.peak, "user")}, ${end}`;
}
