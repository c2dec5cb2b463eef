// An authorisation server that knows nothing of Portcullis, behind it.
//
// usage: node oauth.mjs PORTCULLIS [TABLE]
//
// PORTCULLIS is the built binary. Run it in a folder with the server: `npm install oidc-provider@9.13.3`, and openssl in the path.
// TABLE is where the result goes; without it it is printed.
//
// The server authenticates its clients by what the gate hands it (RFC 9440), and issues tokens that are bound to their certificates
// (RFC 8705). The gate takes them on its other routes: one kind by the server's keys, one by asking it (RFC 7662). Where an answer is
// another than CASES expect, the exit status is 1.

import { execFileSync, spawn } from "node:child_process";
import { X509Certificate, generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [binary, table] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), "package.json"));
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));
const version = JSON.parse(readFileSync("node_modules/oidc-provider/package.json")).version;

const folder = mkdtempSync(join(tmpdir(), "oauth-"));
const file = (name) => join(folder, name);
const read = (name) => readFileSync(file(name), "utf8");
const openssl = (...given) => execFileSync("openssl", given, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });

// A certificate under `root`, or of its own key.
function issue(name, subject, extensions, issuer) {
  writeFileSync(file(`${name}.ext`), extensions);
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
  openssl("req", "-new", "-utf8", "-key", `${name}.key`, "-subj", subject, "-out", `${name}.csr`);
  const by = issuer ? ["-CA", `${issuer}.pem`, "-CAkey", `${issuer}.key`, "-CAcreateserial"] : ["-signkey", `${name}.key`];
  openssl("x509", "-req", "-in", `${name}.csr`, ...by, "-days", "30", "-extfile", `${name}.ext`, "-out", `${name}.pem`);
  return { name, key: read(`${name}.key`), cert: read(`${name}.pem`) };
}

const LEAF = "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
const CLIENT = `${LEAF}extendedKeyUsage=clientAuth\n`;
issue("root", "/C=DE/O=Lindenblatt/CN=Root", "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n");
const server = issue("server", "/CN=localhost", `${LEAF}extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n`, "root");
const good = issue("good", "/C=DE/O=Lindenblatt, Kontodienst \"eG\"/CN=tpp", `${CLIENT}subjectAltName=DNS:tpp.example\n`, "root");
const other = issue("other", "/C=DE/O=Other/CN=other", `${CLIENT}subjectAltName=DNS:other.example\n`, "root");
issue("own-root", "/CN=Root for clients without a certificate", "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n");
const own = issue("own", "/CN=registered", CLIENT, "own-root");
const second = issue("second", "/CN=registered", CLIENT, "own-root");
const selfSigned = issue("self-signed", "/CN=registered", CLIENT);

// The port of a listener that is closed at once: the gate's issuer has to be named before the gate is there.
const freePort = () => new Promise((found) => {
  const probe = http.createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => found(port));
  });
});
const [gatePort, ownPort] = [await freePort(), await freePort()];
const issuer = `https://localhost:${gatePort}`;
const signing = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = (key) => ({ ...key.export({ format: "jwk" }), kid: "1", use: "sig", alg: "ES256" });

// RFC 9440 2.2: one byte sequence.
function presented(ctx) {
  const value = ctx.get("client-cert");
  return value ? new X509Certificate(Buffer.from(value.replace(/^:|:$/g, ""), "base64")) : undefined;
}

const x5c = [new X509Certificate(own.cert).raw.toString("base64")];
const ownJwk = { ...new X509Certificate(own.cert).publicKey.export({ format: "jwk" }), x5c };
const common = { grant_types: ["client_credentials"], id_token_signed_response_alg: "ES256", redirect_uris: [], response_types: [] };
const bound = { ...common, tls_client_certificate_bound_access_tokens: true };
const provider = new Provider(issuer, {
  jwks: { keys: [jwk(signing.privateKey)] },
  cookies: { keys: ["interop"] },
  clientAuthMethods: ["client_secret_basic", "tls_client_auth", "self_signed_tls_client_auth"],
  clients: [
    { ...bound, client_id: "by-dn", token_endpoint_auth_method: "tls_client_auth",
      tls_client_auth_subject_dn: "CN=tpp,O=Lindenblatt\\, Kontodienst \\\"eG\\\",C=DE" },
    { ...bound, client_id: "by-san", token_endpoint_auth_method: "tls_client_auth", tls_client_auth_san_dns: "tpp.example" },
    { ...bound, client_id: "by-key", token_endpoint_auth_method: "self_signed_tls_client_auth", jwks: { keys: [ownJwk] } },
    { ...common, client_id: "gate", client_secret: "secret of the gate" },
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    mTLS: {
      enabled: true, certificateBoundAccessTokens: true, tlsClientAuth: true, selfSignedTlsClientAuth: true,
      getCertificate: (ctx) => presented(ctx)?.toString(),
      // The gate lets nobody through whose certificate has no path.
      certificateAuthorized: (ctx) => presented(ctx) !== undefined,
      certificateSubjectMatches: (ctx, property, expected) => property === "tls_client_auth_subject_dn"
        ? ctx.get("ssl-client-subject-dn") === expected
        : (presented(ctx).subjectAltName ?? "").split(", ").includes(`DNS:${expected}`),
    },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: "accounts", audience: resource,
        accessTokenFormat: resource.includes("signed") ? "jwt" : "opaque", jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
});
provider.proxy = true;
const listen = (made) => new Promise((listening) => made.listen(0, "127.0.0.1", () => listening(made.address().port)));
const backend = http.createServer(provider.callback());
const backendPort = await listen(backend);
// The same server as the gate asks it.
const inner = https.createServer({ key: server.key, cert: server.cert }, provider.callback());
const innerPort = await listen(inner);

writeFileSync(file("jwks.json"), JSON.stringify({ keys: [jwk(signing.publicKey)] }));
writeFileSync(file("secret"), "secret of the gate\n");
["secret", "server.key"].forEach((name) => chmodSync(file(name), 0o600));
const listener = (name, port, anchors) => `
[[listener]]
name = "${name}"
address = "127.0.0.1:${port}"
[[listener.certificate]]
chain = "server.pem"
key = "server.key"
[listener.client_auth]
mode = "required"
profile = "x509"
anchors = ["${anchors}"]
`;
const route = (kind) => `
[[route]]
path = "/${kind}"
token = "bound"
issuers = ["${kind}"]
scopes = ["accounts"]
respond = { body = "ok" }
[issuer.${kind}]
issuer = "${issuer}"
audiences = ["https://${kind}.bank.example"]
`;
writeFileSync(file("gate.toml"), `[runtime]
shards = 1
${listener("tpp", gatePort, "root.pem")}${listener("own", ownPort, "own-root.pem")}
[[route]]
path = "/"
upstream = "as"
[upstream.as]
servers = ["127.0.0.1:${backendPort}"]
hand_off = ["client-cert", "forwarded", "ssl-client-subject-dn"]
${route("signed")}jwks_file = "jwks.json"
${route("opaque")}introspection = "https://localhost:${innerPort}/token/introspection"
client_id = "gate"
client_secret_file = "secret"
https_roots = ["root.pem"]
`);

function ask(who, port, path, { fields = {}, form } = {}) {
  const body = form && new URLSearchParams(form).toString();
  const headers = { ...fields, ...(form && { "content-type": "application/x-www-form-urlencoded" }) };
  return new Promise((told, failed) => {
    const options = { host: "localhost", port, path, method: form ? "POST" : "GET", ca: read("root.pem"), headers, agent: false };
    const request = https.request({ ...options, lookup: (_, given, done) => given.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4), ...(who && { key: who.key, cert: who.cert }) }, (answer) => {
      let text = "";
      answer.on("data", (piece) => { text += piece; });
      answer.on("end", () => {
        let json = {};
        try { json = JSON.parse(text); } catch { /* It is none. */ }
        told({ status: answer.statusCode, json });
      });
    });
    request.on("error", failed);
    request.end(body);
  });
}

const brief = ({ status, json }) => `${status} ${json.code ?? json.error ?? ""}`.trim();
const tokenForm = (client_id, kind) => ({ grant_type: "client_credentials", client_id, scope: "accounts", resource: `https://${kind}.bank.example` });
async function token(who, client, kind = "signed", fields = {}, port = gatePort) {
  try {
    const answer = await ask(who, port, "/token", { fields, form: tokenForm(client, kind) });
    return answer.json.access_token ? { answer, brief: `${answer.status} token` , value: answer.json.access_token } : { answer, brief: brief(answer) };
  } catch (error) {
    return { brief: /alert|ECONNRESET|socket hang up/.test(`${error.code} ${error.message}`) ? "no connection" : `${error}` };
  }
}
const open = async (who, kind, value, port = gatePort) => brief(await ask(who, port, `/${kind}`, { fields: { authorization: `Bearer ${value}` } }));
const thumbprint = (who) => Buffer.from(new X509Certificate(who.cert).fingerprint256.replaceAll(":", ""), "hex").toString("base64url");
const cnf = (value) => JSON.parse(Buffer.from(value.split(".")[1], "base64url")).cnf?.["x5t#S256"];

const gate = spawn(binary, ["run", "-c", file("gate.toml")], { stdio: ["ignore", "pipe", "pipe"] });
let log = "";
[gate.stdout, gate.stderr].forEach((stream) => stream.on("data", (piece) => { log += piece; }));
const rows = [];
let status = 0;
function told(what, expected, found) {
  rows.push([what, found]);
  if (found !== expected) {
    status = 1;
    console.error(`${what}: expected ${expected}, found ${found}`);
  }
}
try {
  for (let tries = 0; !log.includes("ready") && tries < 100; tries += 1) {
    await new Promise((soon) => setTimeout(soon, 100));
  }
  const signed = await token(good, "by-dn");
  told("`tls_client_auth` by subject, its certificate", "200 token", signed.brief);
  told("the token names that certificate", "true", `${signed.value && cnf(signed.value) === thumbprint(good)}`);
  told("`tls_client_auth` by subject, another certificate", "401 invalid_client", (await token(other, "by-dn")).brief);
  told("`tls_client_auth` by `san_dns`, its certificate", "200 token", (await token(good, "by-san")).brief);
  told("`tls_client_auth` by `san_dns`, another certificate", "401 invalid_client", (await token(other, "by-san")).brief);
  const forged = { "client-cert": `:${x5c[0]}:`, client_cert: `:${x5c[0]}:`, "ssl-client-subject-dn": "CN=tpp,O=Lindenblatt\\, Kontodienst \\\"eG\\\",C=DE" };
  told("another certificate, with `Client-Cert` and `SSL-Client-Subject-DN` of the client's own making", "401 invalid_client", (await token(other, "by-dn", "signed", forged)).brief);
  told("the same for `self_signed_tls_client_auth`", "401 invalid_client", (await token(other, "by-key", "signed", forged)).brief);
  told("no certificate", "no connection", (await token(undefined, "by-dn")).brief);
  const registered = await token(own, "by-key", "signed", {}, ownPort);
  told("`self_signed_tls_client_auth`, the registered certificate, under the bank's own CA", "200 token", registered.brief);
  told("another certificate of the same name under that CA", "401 invalid_client", (await token(second, "by-key", "signed", {}, ownPort)).brief);
  told("a self-signed certificate", "no connection", (await token(selfSigned, "by-key", "signed", {}, ownPort)).brief);
  told("the registered certificate on the other listener", "no connection", (await token(own, "by-key")).brief);
  const opaque = await token(good, "by-dn", "opaque");
  for (const [kind, value] of [["signed", signed.value], ["opaque", opaque.value]]) {
    told(`a route with the token (${kind}), its certificate`, "200", await open(good, kind, value));
    told(`the token (${kind}) stolen`, "401 token.binding", await open(other, kind, value));
  }
  told("a token that the server never issued (opaque)", "401 token.inactive", await open(good, "opaque", "never-issued"));
  told("an opaque token where signed ones are taken", "401 token.malformed", await open(good, "signed", opaque.value));
} catch (error) {
  status = 1;
  console.error(error);
} finally {
  gate.kill();
  backend.close();
  inner.close();
  rmSync(folder, { recursive: true });
}
const lines = rows.map(([what, found]) => `| ${what} | ${found} |`);
const text = `| with oidc-provider ${version} | answer |\n|---|---|\n${lines.join("\n")}\n`;
if (table) writeFileSync(table, text); else console.log(text);
if (status) console.error(log);
process.exit(status);
