// Signs a request as RFC 9421 says, and knows nothing of how the platform or its agent does: another label,
// another order of everything. Reads what to sign from standard input, prints the headers.
import { createHash, createPrivateKey, sign } from "node:crypto";
import { readFileSync } from "node:fs";

const { key, chain, method, url, body, nonce } = JSON.parse(readFileSync(0, "utf8"));
const { host, pathname, search } = new URL(url);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const bytes = (text) => `:${text}:`;

const digest = `sha-256=${bytes(sha256(body).toString("base64"))}`;
const covered = new Map([
  ["content-digest", digest],
  ["@query", search || "?"],
  ["@path", pathname],
  ["@authority", host],
  ["@method", method],
]);
const parameters = [
  `tag="openframe-agent"`,
  `keyid="${sha256(Buffer.from(chain[0], "base64")).toString("base64url")}"`,
  `nonce="${nonce}"`,
  `alg="ecdsa-p256-sha256"`,
  `created=${Math.floor(Date.now() / 1000)}`,
];
const names = [...covered.keys()].map((name) => `"${name}"`);
const input = [`(${names.join(" ")})`, ...parameters].join(";");
const lines = [...covered].map(([name, value]) => `"${name}": ${value}`);
const base = [...lines, `"@signature-params": ${input}`].join("\n");
const signature = sign("sha256", Buffer.from(base), {
  key: createPrivateKey(key),
  dsaEncoding: "ieee-p1363",
});

console.log(
  JSON.stringify({
    "content-digest": digest,
    "signature-input": `another=${input}`,
    signature: `another=${bytes(signature.toString("base64"))}`,
    "x-openframe-certificate": chain.map(bytes).join(", "),
  }),
);
