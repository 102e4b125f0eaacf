// Bundles the page into a folder of static files: hashed names, split by page, packed beside.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "dist"));

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "assets"), { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: { app: "src/main.jsx", style: "src/style.css" },
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "linked",
  jsx: "automatic",
  jsxImportSource: "preact",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  outdir: join(out, "assets"),
  metafile: true,
  write: false,
  logLevel: "warning",
});

const named = {};
for (const file of result.outputFiles) {
  writeFileSync(file.path, file.contents);
  if (/\.(js|css)$/.test(file.path)) writeFileSync(`${file.path}.gz`, gzipSync(file.contents, { level: 9 }));
}
for (const [path, { entryPoint }] of Object.entries(result.metafile.outputs)) {
  if (entryPoint === "src/main.jsx") named.app = path.split("/").pop();
  if (entryPoint === "src/style.css") named.style = path.split("/").pop();
}
const page = readFileSync(join(here, "index.html"), "utf8")
  .replace("{{app}}", `/assets/${named.app}`)
  .replace("{{style}}", `/assets/${named.style}`);
writeFileSync(join(out, "index.html"), page);
writeFileSync(join(out, "favicon.svg"), readFileSync(join(here, "favicon.svg")));

// Licences of what the bundle contains go with it.
const licences = ["preact", "uplot"].map((name) => {
  const manifest = JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8"));
  const text = readFileSync(join(here, "node_modules", name, "LICENSE"), "utf8");
  return `${name} ${manifest.version} (${manifest.license})\n\n${text}`;
});
writeFileSync(join(out, "LICENCES.txt"), licences.join("\n\n----\n\n"));
const digest = createHash("sha256").update(page).digest("hex").slice(0, 16);
console.log(`page ${digest} in ${out}`);
