import { toMeridianError } from '../../model/errors.ts';
import { checkText, strictText } from '../../model/text.ts';
import { Refusal } from './refusal.ts';

/** The text in these bytes. @throws Refusal naming `what` and the byte where they are no UTF-8 */
export function textIn(bytes: Uint8Array, what: string): string {
  try {
    return strictText(bytes, what);
  } catch (error) {
    throw new Refusal(400, toMeridianError(error).message, 10001);
  }
}

/** The text itself where it has a UTF-8 form; JSON may escape what has none. @throws Refusal naming `what` */
export function checkedText(text: string, what: string): string {
  try {
    checkText(text, what);
  } catch (error) {
    throw new Refusal(400, toMeridianError(error).message, 10001);
  }
  return text;
}

/** Parsed JSON. @throws Refusal where it is none, or no UTF-8 */
export function jsonIn(bytes: Uint8Array): unknown {
  const text = textIn(bytes, 'the request body');
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 'the request body is not valid JSON', 10001);
  }
}
