/** The forms of the HTTP API that are about what to run: script, wish, preview. */

export interface Finding {
  severity: "error" | "warning";
  file: string;
  /** From 1; 0 if it concerns the file as a whole. */
  line: number;
  column: number;
  width: number;
  message: string;
  hint: string | null;
  source: string | null;
}

/** What a person asks for, before it is checked. */
export interface Wish {
  users?: number | null;
  spawn_rate?: number | null;
  run_time?: string | null;
  iterations?: number | null;
  host?: string | null;
  params?: Record<string, string | undefined>;
  classes?: string[];
  tags?: string[];
  exclude_tags?: string[];
  use_shape?: boolean;
  stop_timeout?: string | null;
  seed?: number | null;
  label?: string;
}

export interface Plan {
  points: [second: number, users: number][];
  end_s: number | null;
  peak: number;
  is_live: boolean;
}

export interface Remark {
  level: "info" | "warn" | "error";
  text: string;
}

export interface Preview {
  plan: Plan;
  remarks: Remark[];
  command: string;
  files_needed: number;
  files_allowed: number;
}

export interface Param {
  name: string;
  type: "text" | "integer" | "number" | "bool" | "choice" | "list" | "choices";
  default: string;
  value: string | null;
  is_given: boolean;
  help: string;
  choices: string[];
  is_secret: boolean;
  is_required: boolean;
}

export interface ClassInfo {
  name: string;
  weight: number;
  fixed_count: number | null;
  host: string | null;
  wait: string;
  share: number;
  is_chosen: boolean;
  tasks: { name: string; weight: number; tags: string[] }[];
}

export interface ScriptState {
  path: string;
  is_ok: boolean;
  findings: Finding[];
  hash: string;
  checked_at_us: number;
  is_watched: boolean;
}

export interface Form {
  wish: Wish;
  params: Param[];
  classes: ClassInfo[];
  tags: string[];
  shape: "none" | "stages" | "closure";
  script: ScriptState;
  preview: Preview | null;
  refusal: {
    field: string | null;
    param: string | null;
    message: string;
    hint: string | null;
  } | null;
}
