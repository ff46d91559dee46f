// What a connection by TLS failed of, where it is something that another attempt does not cure. Pure.
import { messageOfThrown } from "./thrown.js";

export interface TlsFailure {
  /** Node's. */
  readonly code: string;
  /** The certificate is not to be trusted, or no TLS is spoken there. */
  readonly cause: "certificate" | "no TLS";
  readonly advice: string;
}

const certificate = /^(?:CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/;

/** What an answer of a server reads as that does not speak TLS: by code, or where Node tells only EPROTO, by message. */
const noTls =
  /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$|^EPROTO .*(?:wrong version number|packet length too long|http request)/s;

function certificateAdvice(code: string): string {
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
    return "check this machine's clock, or have the certificate renewed";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "it is for another host: check the address";
  return "a company's own authority is named by NODE_EXTRA_CA_CERTS";
}

/** @returns undefined: another failure */
export function tlsFailure(thrown: unknown): TlsFailure | undefined {
  const code = String(Object(thrown).code ?? "");
  if (certificate.test(code)) return { code, cause: "certificate", advice: certificateAdvice(code) };
  if (!noTls.test(code) && !noTls.test(`${code} ${messageOfThrown(thrown)}`)) return undefined;
  return { code, cause: "no TLS", advice: "check its port, or write its address with http://" };
}
