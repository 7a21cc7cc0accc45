const UNSTORABLE = /[\0\p{Surrogate}]/gu;

/** Text that Postgres can hold: U+0000 and lone surrogates become U+FFFD. */
export function storableText(text: string): string {
  return text.replace(UNSTORABLE, "\ufffd");
}
