// Checks a .tlog-proof and its entry with Sigstore's verifier, code that is not ours.
// Usage: node check.mjs PROOF ENTRY VKEY. Exit codes: 0 it holds, 1 it does not (the reason is printed), 2 wrong usage.
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
// The two functions are not exported by name; the files are those of the pinned version.
const folder = dirname(require.resolve("@sigstore/verify"));
const { verifyCheckpoint } = require(join(folder, "tlog", "checkpoint.js"));
const { verifyMerkleInclusion } = require(join(folder, "tlog", "merkle.js"));

const [proofFile, entryFile, vkey] = process.argv.slice(2);
if (vkey === undefined) {
  console.error("usage: node check.mjs PROOF ENTRY VKEY");
  process.exit(2);
}

// vkey: name+hex id+base64(type || key); base64 may hold '+' itself.
const [name, id, ...rest] = vkey.split("+");
const key = Buffer.from(rest.join("+"), "base64").subarray(1);
const log = {
  logID: Buffer.from(id, "hex"),
  baseURL: name,
  // SubjectPublicKeyInfo of Ed25519 (RFC 8410): a fixed head and the key.
  publicKey: createPublicKey({
    key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key]), format: "der", type: "spki",
  }),
};

const text = readFileSync(proofFile, "utf8");
const cut = text.indexOf("\n\n");
const lines = text.slice(0, cut).split("\n");
const at = lines.findIndex((line) => line.startsWith("index "));
const entry = {
  canonicalizedBody: readFileSync(entryFile),
  inclusionProof: {
    logIndex: lines[at].slice("index ".length),
    hashes: lines.slice(at + 1).map((line) => Buffer.from(line, "base64")),
    checkpoint: { envelope: text.slice(cut + 2) },
  },
};
try {
  const checkpoint = verifyCheckpoint(entry, [log]);
  if (checkpoint.origin !== name) throw new Error(`origin ${checkpoint.origin} is not the key's name`);
  verifyMerkleInclusion(entry, checkpoint);
  console.log(`ok index=${entry.inclusionProof.logIndex} size=${checkpoint.logSize}`);
} catch (error) {
  console.log(`FAIL ${error.message}`);
  process.exit(1);
}
