// Certificates of a test's own, made by openssl.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes a key and a certificate that signs itself, NAME.key and NAME.pem, for an alternative name and between two dates. */
export function certificate(
  folder: string,
  name: string,
  alternative: string,
  from: string,
  to: string,
): void {
  const run = (...args: readonly string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  writeFileSync(
    join(folder, `${name}.cnf`),
    [
      "[ca]\ndefault_ca=own\n[own]",
      `new_certs_dir=.\ndatabase=${name}.db\nserial=${name}.serial\ndefault_md=sha256\npolicy=any\nx509_extensions=ext`,
      "[any]\ncommonName=supplied\n[ext]",
      `subjectAltName=${alternative}\nbasicConstraints=critical,CA:TRUE`,
    ].join("\n"),
  );
  writeFileSync(join(folder, `${name}.db`), "");
  writeFileSync(join(folder, `${name}.serial`), "01\n");
  run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
  run("req", "-new", "-key", `${name}.key`, "-subj", `/CN=${name}`, "-out", `${name}.csr`);
  const dates = ["-startdate", from, "-enddate", to];
  const paths = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-keyfile", `${name}.key`];
  run("ca", "-selfsign", "-batch", "-notext", "-config", `${name}.cnf`, ...dates, ...paths);
}
