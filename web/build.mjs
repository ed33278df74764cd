/**
 * Builds the pages: `node build.mjs OUTDIR [--watch]`.
 *
 * OUTDIR gets index.html and report.html, hashed assets, each also as .gz and .br, and manifest.json
 * with path, content type, hash and, for report.html, the CSP hashes of its inline script and style.
 */

import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

/** What the first load may take over the wire. */
const FIRST_LOAD_BYTES = 130 * 1024;

/** Where the server puts the run's data; it stands in report.html exactly once. */
const DATA_MARK = "{{katydid-run}}";

const here = path.dirname(fileURLToPath(import.meta.url));
const [out, ...flags] = process.argv.slice(2);
if (!out) {
  console.error("usage: node build.mjs OUTDIR [--watch]");
  process.exit(2);
}
const isWatch = flags.includes("--watch");

/** @type {esbuild.BuildOptions} */
const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: !isWatch,
  jsx: "automatic",
  jsxImportSource: "preact",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  write: false,
  logLevel: "warning",
};

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8" };
TYPES[".css"] = "text/css; charset=utf-8";

const sha256 = (bytes) => createHash("sha256").update(bytes);
const cspHash = (text) => `'sha256-${sha256(text).digest("base64")}'`;

/** Text inside a script element must not end it. */
const inScript = (text) => text.replace(/<\/(script)/gi, "<\\/$1").replace(/<!--/g, "<\\!--");

function bundled(result, extension) {
  return result.outputFiles.find((file) => file.path.endsWith(extension));
}

async function emit(files) {
  await rm(out, { recursive: true, force: true });
  await mkdir(path.join(out, "assets"), { recursive: true });
  const manifest = [];
  for (const { name, text, ...more } of files) {
    const bytes = Buffer.from(text);
    const gzip = gzipSync(bytes, { level: 9 });
    const brotli = brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
    });
    await writeFile(path.join(out, name), bytes);
    await writeFile(path.join(out, `${name}.gz`), gzip);
    await writeFile(path.join(out, `${name}.br`), brotli);
    manifest.push({
      path: name,
      type: TYPES[path.extname(name)],
      hash: sha256(bytes).digest("hex").slice(0, 16),
      is_hashed: name.startsWith("assets/"),
      bytes: bytes.length,
      gzip_bytes: gzip.length,
      brotli_bytes: brotli.length,
      ...more,
    });
  }
  await writeFile(
    path.join(out, "manifest.json"),
    `${JSON.stringify({ files: manifest }, null, 1)}\n`,
  );
  return manifest;
}

async function live(result) {
  const hashed = (file, extension) => ({
    name: `assets/katydid-${sha256(file.contents).digest("hex").slice(0, 10)}${extension}`,
    text: file.text,
  });
  const script = hashed(bundled(result, ".js"), ".js");
  const style = hashed(bundled(result, ".css"), ".css");
  const page = (await readFile(path.join(here, "src/index.html"), "utf8"))
    .replace("{{script}}", script.name)
    .replace("{{style}}", style.name);
  return [{ name: "index.html", text: page }, script, style];
}

async function report(result) {
  const script = inScript(bundled(result, ".js").text.trim());
  const style = bundled(result, ".css").text.trim();
  const csp = [
    "default-src 'none'",
    `script-src ${cspHash(script)}`,
    `style-src ${cspHash(style)}`,
    "img-src blob: data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const shell = await readFile(path.join(here, "src/report.html"), "utf8");
  // Functions, because a `$` in a bundle would be taken for a pattern.
  const text = shell
    .replace("{{csp}}", () => csp)
    .replace("{{style}}", () => style)
    .replace("{{script}}", () => script);
  if (text.split(DATA_MARK).length !== 2) throw new Error(`report.html needs one ${DATA_MARK}`);
  const hashes = { script_hash: cspHash(script), style_hash: cspHash(style), csp };
  return [{ name: "report.html", text, ...hashes }];
}

async function write(results) {
  const files = [...(await live(results[0])), ...(await report(results[1]))];
  const manifest = await emit(files);
  const size = (file) =>
    `${file.path} ${file.bytes} (gzip ${file.gzip_bytes}, br ${file.brotli_bytes})`;
  for (const file of manifest) console.log(size(file));
  const first = manifest
    .filter((file) => file.path !== "report.html")
    .reduce((sum, file) => sum + file.gzip_bytes, 0);
  console.log(`first load: ${(first / 1024).toFixed(1)} KB of ${FIRST_LOAD_BYTES / 1024}, gzip`);
  if (first > FIRST_LOAD_BYTES && !isWatch) throw new Error("the first load is over its budget");
}

/** @type {esbuild.BuildOptions[]} */
const builds = [
  { ...shared, entryPoints: ["src/main.tsx"], outfile: "main.js", format: "esm" },
  { ...shared, entryPoints: ["src/report.tsx"], outfile: "report.js", format: "iife" },
];

if (isWatch) {
  const results = [];
  for (const [at, options] of builds.entries()) {
    const keep = {
      name: "keep",
      setup: (build) =>
        build.onEnd(async (result) => {
          if (result.errors.length > 0) return;
          results[at] = result;
          if (results[0] && results[1]) await write(results);
        }),
    };
    await (await esbuild.context({ ...options, plugins: [keep] })).watch();
  }
} else {
  await write(await Promise.all(builds.map((options) => esbuild.build(options))));
}
