/** The text condition: the paper's two prompts, a sentence of the user's own, or nothing. */

/** The prompt of a dropped text condition (PAPER section 1). */
export const NO_PROMPT = '';

/**
 * The paper's prompt for a view (PAPER section 1, Text); for the short axis of cardiac MRI (SAX),
 * of which the paper says nothing, a sentence of the built-in vocabulary.
 */
export function defaultPrompt(view: '2CH' | '4CH' | 'SAX'): string {
  if (view === 'SAX') return 'A cardiac MRI short axis view.';
  return `An ECHO with ${view === '2CH' ? 2 : 4}-chamber view.`;
}

/**
 * What the user wrote as a prompt: one line, single spaces. `2CH`, `4CH` and `SAX` alone mean the
 * default prompts, so that the exact wording need not be remembered.
 */
export function parsePrompt(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const view = line.toUpperCase();
  return view === '2CH' || view === '4CH' || view === 'SAX' ? defaultPrompt(view) : line;
}
