/** The header in which a request's id travels, in gRPC as in HTTP: from a caller, to other nodes, and back. */
export const requestIdHeader = 'x-request-id';

const pattern = /^[\w.:+/=@-]{1,128}$/;

/** Up to 128 letters, digits and `_ . : + / = @ -`: enough for any caller's names, and harmless in a log. */
export function isRequestId(text: unknown): text is string {
  return typeof text === 'string' && pattern.test(text);
}
